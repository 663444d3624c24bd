/**
 * What stands where in a node's volume. The image declares where the volume is mounted
 * (`/var/lib/postgresql/data` up to PostgreSQL 17, `/var/lib/postgresql` from 18 on); below it stand
 *
 *   pgdata/          the database cluster
 *   pgherd/          everything pgherd hands to the node; it outlives the container
 *     rev.A.B/       a revision of the configuration: A names what a restart applies, B what a reload applies
 *     rev.A.B.kept/  what a node made of rev.X.B, whose settings its server refuses: the settings before
 *     refused        -> why it refused them last
 *     config         -> the revision in force
 *     started        -> the revision the server was started with
 *     loaded         -> the revision the server has loaded
 *     detached       -> while it is told to follow nobody: pending, then <timeline>.<lsn>.<shut|open> when it has replayed
 *                       all it has, or <timeline>.<lsn>.replaying when it has received no more than that
 *     reign          -> the reign in which its server took part last, <leader>[.<timeline>.<lsn>]
 *     state          -> bootstrapping, cloning, half, rewinding, diverged, or data.<system_identifier>
 *     serves         -> lead, follow, promoting, or fenced.<cause>[.<lsn>]: another node is to lead, and this one does not
 *                       start; ended or kept after that, until it starts: what it wrote last was not acknowledged, or may
 *                       have been
 *     records/       the group records this volume was given, record.<epoch>.<version>.<leader>.<members>[.fork-…][.sync-…].json:
 *                       the highest epoch and version holds, whoever wrote last
 *     record         -> the one in records/ that was written last
 *     handover       -> a requested switchover or failover, written by commands
 *     pause          -> on.<time>.<who> or off.<time>, written by commands
 *     secrets        -> secrets.<version>.<fingerprint>/, passwords (0600)
 *
 * Facts are kept as the targets of links because the engine tells a link's target for the price of a stat
 * (0.9 ms, running or not) where reading a file costs it a process (40 ms).
 */
export type Layout = { readonly mount: string; readonly home: string; readonly data: string };

const defaultMount = '/var/lib/postgresql/data';

export function layoutOf(imageVolumes: readonly string[]): Layout {
  const mount = imageVolumes.find((path) => path.startsWith('/var/lib/postgresql')) ?? defaultMount;
  return { mount, home: `${mount}/pgherd`, data: `${mount}/pgdata` };
}

/** The names of the links that tell facts, in the order of `readFacts`. */
export const factLinks = [
  'state',
  'config',
  'started',
  'loaded',
  'refused',
  'detached',
  'serves',
  'record',
  'secrets',
  'handover',
  'pause',
] as const;
export type FactLink = (typeof factLinks)[number];

export type NodeState =
  | { readonly is: 'empty' }
  /** Bootstrap, clone or rewind under way, or cut short. */
  | { readonly is: 'bootstrapping' | 'cloning' | 'rewinding' | 'half' }
  /** Written by another version. */
  | { readonly is: 'unknown' }
  /** It led or followed another leader, and holds what the node which leads now has not. */
  | { readonly is: 'diverged' }
  | { readonly is: 'data'; readonly systemIdentifier: string };

/** What a node's volume says of itself. */
export type NodeFacts = {
  readonly state: NodeState;
  /** Names of revisions. */
  readonly config: string | undefined;
  readonly started: string | undefined;
  readonly loaded: string | undefined;
  /** What its server said of settings that it did not take. */
  readonly refused: string | undefined;
  /** It was told to follow nobody; undefined: it was not, or follows again. */
  readonly detached: Detached | undefined;
  /**
   * What the server was when it was started or promoted last; `promoting`: it follows, and may lead any moment; `fenced`:
   * it is not to be started; `released`: it was fenced, and has not been started since.
   */
  readonly serves: 'lead' | 'follow' | 'promoting' | 'fenced' | 'released' | undefined;
  /** Why it was taken out of service. */
  readonly fencedFor: FenceCause | undefined;
  /** Bytes from 0/0 that it had written when it was told to stop in order. */
  readonly fencedAt: number | undefined;
  readonly record: RecordName | undefined;
  readonly secrets: SecretsName | undefined;
  readonly handover: HandoverRequest | undefined;
  readonly pause: PauseRequest | undefined;
};

/** How far a server has come. */
export type Position = {
  readonly timeline: number;
  /** Bytes from 0/0. */
  readonly lsn: number;
  /** The last it has is its leader's word that it shut down: nothing can come after that. */
  readonly shut: boolean;
};

/** What a node says that was told to follow nobody. */
export type Detached =
  /** It may still follow. */
  | 'pending'
  /** How far it has come: nothing follows. */
  | Position
  /** It follows nobody, has not replayed all it has, and that is no more than this. */
  | { readonly received: Place };

export type Place = Pick<Position, 'timeline' | 'lsn'>;

export const fenceCauses = ['ended', 'hung', 'asked', 'removed', 'forced'] as const;
export type FenceCause = (typeof fenceCauses)[number];

/** The end of a timeline. */
export type Fork = Place;

/** A requested change of leaders. */
export type Handover = {
  /** `failover-lossy`: even if transactions may be lost. */
  readonly kind: 'switchover' | 'failover' | 'failover-lossy';
  /** Slot of the node that is to lead; undefined: the most advanced one. */
  readonly to: number | undefined;
  /** Epoch milliseconds at which the request expires: whoever made it may be gone, and expects nothing then. */
  readonly until: number;
};

/** The time in which one node led, named by how it began: two promotions never share all three. */
export type Reign = { readonly leader: number; readonly fork?: Fork | undefined };

/** What the `handover` link holds: the request, bound to the reign it is to end, or the end of one. */
export type HandoverRequest =
  | ({ readonly is: 'requested'; /** Epoch milliseconds. */ readonly at: number; readonly of: Reign } & Handover)
  /** The request of that time, and all before it, were cancelled or refused. */
  | { readonly is: 'ended'; readonly at: number };

/** What the `pause` link holds. */
export type PauseRequest = {
  readonly isPaused: boolean;
  /** Epoch milliseconds. */
  readonly at: number;
  /** Who paused it. */
  readonly by: string | undefined;
};

/** Who may hold what the leader has acknowledged. */
export type SyncList = {
  /** How many of them a commit waits for. */
  readonly num: number;
  /** Slots, ascending. Empty: nobody but the leader is known to have all of it. */
  readonly listed: readonly number[];
};

/** What the name of a group record tells without reading it. */
export type RecordName = {
  /** Grows with every holder of the cluster's lock: what an earlier one writes late does not count. */
  readonly epoch: number;
  /** Grows with every record of an epoch. */
  readonly version: number;
  /** Slot of the leader. */
  readonly leader: number;
  /** Slots of all members, ascending. */
  readonly members: readonly number[];
  /** In quorum mode. */
  readonly sync?: SyncList | undefined;
  /** Where the leader began to lead, and on which timeline it had followed; absent: it led from the beginning. */
  readonly fork?: Fork | undefined;
};

/** Negative: `a` is older than `b`. */
export function compareRecords(a: RecordName, b: RecordName): number {
  return a.epoch - b.epoch || a.version - b.version;
}

export function isSameReign(a: Reign, b: Reign): boolean {
  return a.leader === b.leader && a.fork?.timeline === b.fork?.timeline && a.fork?.lsn === b.fork?.lsn;
}

/** `<leader>.<timeline>.<lsn>`; of one that led from the beginning `<leader>`. */
export function formatReign({ leader, fork }: Reign): string {
  return [leader, ...(fork === undefined ? [] : [fork.timeline, fork.lsn])].join('.');
}

export type SecretsName = { readonly version: number; readonly fingerprint: string };

const factReaders: Readonly<Record<FactLink, (target: string | undefined) => Partial<NodeFacts>>> = {
  state: (target) => ({ state: readState(target) }),
  config: (target) => ({ config: baseName(target) }),
  started: (target) => ({ started: baseName(target) }),
  loaded: (target) => ({ loaded: baseName(target) }),
  refused: (target) => ({ refused: baseName(target)?.replaceAll('%2F', '/').replaceAll('%25', '%') }),
  detached: (target) => ({ detached: readDetached(baseName(target)) }),
  serves: (target) => readServes(baseName(target)),
  record: (target) => ({ record: readRecordName(baseName(target)) }),
  secrets: (target) => ({ secrets: readSecretsName(baseName(target)) }),
  handover: (target) => ({ handover: readHandover(baseName(target)) }),
  pause: (target) => ({ pause: readPause(baseName(target)) }),
};

type Links = Readonly<Partial<Record<FactLink, string | undefined>>>;

/** Facts from link targets, each undefined where the link is missing. Anything unknown reads as missing. */
export function readFacts(links: Links): NodeFacts {
  return factsOf(factLinks, links) as NodeFacts;
}

/** The facts that these links tell, and no others. */
export function readSomeFacts(links: Links): Partial<NodeFacts> {
  return factsOf(
    factLinks.filter((link) => link in links),
    links,
  );
}

function factsOf(names: readonly FactLink[], links: Links): Partial<NodeFacts> {
  return Object.assign({}, ...names.map((name) => factReaders[name](links[name]))) as Partial<NodeFacts>;
}

export function formatRecordName({ epoch, version, leader, members, fork, sync }: RecordName): string {
  const parts = [
    `record.${whole(epoch)}.${whole(version)}.${String(leader)}.${members.join('-')}`,
    ...(fork === undefined ? [] : [`fork-${String(fork.timeline)}-${String(fork.lsn)}`]),
    ...(sync === undefined ? [] : [['sync', sync.num, ...sync.listed].join('-')]),
    'json',
  ];
  return parts.join('.');
}

export function formatHandover(request: HandoverRequest): string {
  const at = `at-${whole(request.at)}`;
  if (request.is === 'ended') return `ended.${at}`;
  const { kind, to, until, of } = request;
  const fork = of.fork === undefined ? '' : `-${String(of.fork.timeline)}-${String(of.fork.lsn)}`;
  const whom = to === undefined ? [] : [`to-${String(to)}`];
  return [kind, ...whom, `of-${String(of.leader)}${fork}`, `until-${whole(until)}`, at].join('.');
}

export function formatPause({ isPaused, at, by }: PauseRequest): string {
  if (!isPaused) return `off.${whole(at)}`;
  return `on.${whole(at)}${by === undefined ? '' : `.${by.replaceAll('/', '_')}`}`;
}

// A name that does not read back would hide what it tells.
function whole(value: number): string {
  if (!Number.isSafeInteger(value)) throw new Error(`not a whole number: ${String(value)}`);
  return String(value);
}

export function formatSecretsName({ version, fingerprint }: SecretsName): string {
  return `secrets.${String(version)}.${fingerprint}`;
}

/** The state that a link's target names. */
export function readState(link: string | undefined): NodeState {
  const name = baseName(link);
  if (name === undefined) return { is: 'empty' };
  if (name === 'bootstrapping' || name === 'cloning' || name === 'rewinding' || name === 'half') return { is: name };
  if (name === 'diverged') return { is: name };
  const systemIdentifier = /^data\.(\d+)$/.exec(name)?.[1];
  // A state of another version is never taken for an empty volume, nor for one that may be removed.
  return systemIdentifier === undefined ? { is: 'unknown' } : { is: 'data', systemIdentifier };
}

const recordName = /^record\.(\d+)\.(\d+)\.(\d+)\.([\d-]+)(?:\.fork-(\d+)-(\d+))?(?:\.sync-([\d-]+))?\.json$/;

/** Reads the name of a record's file; undefined where it is none. */
export function readRecordName(name: string | undefined): RecordName | undefined {
  const match = recordName.exec(name ?? '');
  if (match === null) return undefined;
  const [, epoch, version, leader, members = '', timeline, lsn, sync] = match;
  const [num = 0, ...listed] = (sync ?? '').split('-').map(Number);
  return {
    epoch: Number(epoch),
    version: Number(version),
    leader: Number(leader),
    members: members.split('-').map(Number),
    ...(timeline === undefined ? {} : { fork: { timeline: Number(timeline), lsn: Number(lsn) } }),
    ...(sync === undefined ? {} : { sync: { num, listed } }),
  };
}

const handoverName =
  /^(switchover|failover|failover-lossy)(?:\.to-(\d+))?\.of-(\d+)(?:-(\d+)-(\d+))?\.until-(\d+)\.at-(\d+)$/;

function readHandover(name: string | undefined): HandoverRequest | undefined {
  const ended = /^ended\.at-(\d+)$/.exec(name ?? '')?.[1];
  if (ended !== undefined) return { is: 'ended', at: Number(ended) };
  const match = handoverName.exec(name ?? '');
  if (match === null) return undefined;
  const [, kind, to, leader, timeline, lsn, until, at] = match;
  return {
    is: 'requested',
    kind: kind as Handover['kind'],
    to: to === undefined ? undefined : Number(to),
    of: {
      leader: Number(leader),
      ...(timeline === undefined ? {} : { fork: { timeline: Number(timeline), lsn: Number(lsn) } }),
    },
    until: Number(until),
    at: Number(at),
  };
}

function readPause(name: string | undefined): PauseRequest | undefined {
  const [, is, at, by] = /^(on|off)\.(\d+)(?:\.(.+))?$/.exec(name ?? '') ?? [];
  return at === undefined ? undefined : { isPaused: is === 'on', at: Number(at), by };
}

// Whatever else it says, it may follow nobody.
function readDetached(name: string | undefined): Detached | undefined {
  if (name === undefined) return undefined;
  const [, timeline, lsn, is] = /^(\d+)\.(\d+)\.(shut|open|replaying)$/.exec(name) ?? [];
  if (is === undefined) return 'pending';
  const place = { timeline: Number(timeline), lsn: Number(lsn) };
  return is === 'replaying' ? { received: place } : { ...place, shut: is === 'shut' };
}

/** How far one has come that was told to follow nobody, where that is final. */
export function finalPosition(detached: Detached | undefined): Position | undefined {
  return typeof detached === 'object' && 'lsn' in detached ? detached : undefined;
}

export function formatFence(cause: FenceCause, lsn: number | undefined): string {
  return `fenced.${cause}${lsn === undefined ? '' : `.${String(lsn)}`}`;
}

function readServes(name: string | undefined): Pick<NodeFacts, 'serves' | 'fencedFor' | 'fencedAt'> {
  const [, cause, lsn] = /^fenced\.([a-z]+)(?:\.(\d+))?$/.exec(name ?? '') ?? [];
  const fencedFor = fenceCauses.find((each) => each === cause);
  const fencedAt = lsn === undefined ? undefined : Number(lsn);
  if (fencedFor !== undefined) return { serves: 'fenced', fencedFor, fencedAt };
  const isReleased = name === 'ended' || name === 'kept';
  const isPlain = name === 'lead' || name === 'follow' || name === 'promoting';
  const serves = isPlain ? name : isReleased ? 'released' : undefined;
  return { serves, fencedFor: undefined, fencedAt: undefined };
}

function readSecretsName(name: string | undefined): SecretsName | undefined {
  const match = /^secrets\.(\d+)\.([0-9a-z]+)$/.exec(name ?? '');
  return match === null ? undefined : { version: Number(match[1]), fingerprint: match[2] ?? '' };
}

export function baseName(path: string | undefined): string | undefined {
  return path?.slice(path.lastIndexOf('/') + 1);
}
