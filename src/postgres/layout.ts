/**
 * What stands where in a node's volume. The image declares where the volume is mounted
 * (`/var/lib/postgresql/data` up to PostgreSQL 17, `/var/lib/postgresql` from 18 on); below it stand
 *
 *   pgdata/          the database cluster
 *   pgherd/          everything pgherd hands to the node; it outlives the container
 *     rev.A.B/       a revision of the configuration: A names what a restart applies, B what a reload applies
 *     config         -> the revision in force
 *     started        -> the revision the server was started with
 *     loaded         -> the revision the server has loaded
 *     detached       -> while it is told to follow nobody: pending, then <timeline>.<lsn>.<shut|open> when it has replayed
 *                       all it has, or <timeline>.<lsn>.replaying when it has received no more than that
 *     state          -> bootstrapping, cloning, half, rewinding, diverged, or data.<system_identifier>
 *     serves         -> lead, follow, or fenced.<cause>[.<lsn>]: another node is to lead, and this one does not start; ended or
 *                       kept after that, until it starts: what it wrote last was not acknowledged, or may have been
 *     record         -> record.<version>.<leader>.<members>[.fork-…][.sync-…][.<handover>][.paused].json, the group record
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
export const factLinks = ['state', 'config', 'started', 'loaded', 'detached', 'serves', 'record', 'secrets'] as const;
export type FactLink = (typeof factLinks)[number];

export type NodeState =
  | { readonly is: 'empty' }
  /** Bootstrap, clone or rewind under way, or cut short. */
  | { readonly is: 'bootstrapping' | 'cloning' | 'rewinding' | 'half' }
  /** It led, and holds transactions that the node which leads now has not. */
  | { readonly is: 'diverged' }
  | { readonly is: 'data'; readonly systemIdentifier: string };

/** What a node's volume says of itself. */
export type NodeFacts = {
  readonly state: NodeState;
  /** Names of revisions. */
  readonly config: string | undefined;
  readonly started: string | undefined;
  readonly loaded: string | undefined;
  /** It was told to follow nobody; undefined: it was not, or follows again. */
  readonly detached: Detached | undefined;
  /**
   * What the server was when it was started or promoted last; `fenced`: it is not to be started; `released`: it was fenced,
   * and has not been started since.
   */
  readonly serves: 'lead' | 'follow' | 'fenced' | 'released' | undefined;
  /** Why it was taken out of service. */
  readonly fencedFor: FenceCause | undefined;
  /** Bytes from 0/0 that it had written when it was told to stop in order. */
  readonly fencedAt: number | undefined;
  readonly record: RecordName | undefined;
  readonly secrets: SecretsName | undefined;
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

/** A change of leaders that somebody asked for. */
export type Handover = {
  /** `failover-lossy`: even where transactions may be lost. */
  readonly kind: 'switchover' | 'failover' | 'failover-lossy';
  /** Slot of who is to lead; undefined: whoever is best. */
  readonly to: number | undefined;
  /** Epoch milliseconds from which on nobody does it any more: who asked may be gone, and expects nothing then. */
  readonly until?: number | undefined;
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
  readonly version: number;
  /** Slot of the leader. */
  readonly leader: number;
  /** Slots of all members, ascending. */
  readonly members: readonly number[];
  /** In quorum mode. */
  readonly sync?: SyncList | undefined;
  readonly handover?: Handover | undefined;
  /** Where the leader began to lead, and on which timeline it had followed; absent: it led from the beginning. */
  readonly fork?: Fork | undefined;
  /** Nothing but looking is done to the group. */
  readonly paused: boolean;
};

export type SecretsName = { readonly version: number; readonly fingerprint: string };

/** Facts from link targets, each undefined where the link is missing. Anything unknown reads as missing. */
export function readFacts(links: Readonly<Record<FactLink, string | undefined>>): NodeFacts {
  return {
    state: readState(baseName(links.state)),
    config: baseName(links.config),
    started: baseName(links.started),
    loaded: baseName(links.loaded),
    detached: readDetached(baseName(links.detached)),
    ...readServes(baseName(links.serves)),
    record: readRecordName(baseName(links.record)),
    secrets: readSecretsName(baseName(links.secrets)),
  };
}

export function formatRecordName({ version, leader, members, fork, sync, handover, paused }: RecordName): string {
  const parts = [
    `record.${String(version)}.${String(leader)}.${members.join('-')}`,
    ...(fork === undefined ? [] : [`fork-${String(fork.timeline)}-${String(fork.lsn)}`]),
    ...(sync === undefined ? [] : [['sync', sync.num, ...sync.listed].join('-')]),
    ...(handover === undefined ? [] : [formatHandover(handover)]),
    ...(paused ? ['paused'] : []),
    'json',
  ];
  return parts.join('.');
}

function formatHandover({ kind, to, until }: Handover): string {
  // A name that does not read back would hide the record.
  if (until !== undefined && !Number.isSafeInteger(until))
    throw new Error(`not a time in milliseconds: ${String(until)}`);
  return `${kind}${to === undefined ? '' : `-${String(to)}`}${until === undefined ? '' : `-until-${String(until)}`}`;
}

export function formatSecretsName({ version, fingerprint }: SecretsName): string {
  return `secrets.${String(version)}.${fingerprint}`;
}

function readState(name: string | undefined): NodeState {
  if (name === undefined) return { is: 'empty' };
  if (name === 'bootstrapping' || name === 'cloning' || name === 'rewinding' || name === 'half') return { is: name };
  if (name === 'diverged') return { is: name };
  const systemIdentifier = /^data\.(\d+)$/.exec(name)?.[1];
  // An unknown state is never taken for an empty volume.
  return systemIdentifier === undefined ? { is: 'half' } : { is: 'data', systemIdentifier };
}

const recordName =
  /^record\.(\d+)\.(\d+)\.([\d-]+)(?:\.fork-(\d+)-(\d+))?(?:\.sync-([\d-]+))?(?:\.(switchover|failover|failover-lossy)(?:-(\d+))?(?:-until-(\d+))?)?(\.paused)?\.json$/;

function readRecordName(name: string | undefined): RecordName | undefined {
  const match = recordName.exec(name ?? '');
  if (match === null) return undefined;
  const [, version, leader, members = '', timeline, lsn, sync, kind, to, until, paused] = match;
  const [num = 0, ...listed] = (sync ?? '').split('-').map(Number);
  return {
    version: Number(version),
    leader: Number(leader),
    members: members.split('-').map(Number),
    ...(timeline === undefined ? {} : { fork: { timeline: Number(timeline), lsn: Number(lsn) } }),
    ...(sync === undefined ? {} : { sync: { num, listed } }),
    ...(kind === undefined
      ? {}
      : {
          handover: {
            kind: kind as Handover['kind'],
            to: to === undefined ? undefined : Number(to),
            ...(until === undefined ? {} : { until: Number(until) }),
          },
        }),
    paused: paused !== undefined,
  };
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
  const serves = name === 'lead' || name === 'follow' ? name : isReleased ? 'released' : undefined;
  return { serves, fencedFor: undefined, fencedAt: undefined };
}

function readSecretsName(name: string | undefined): SecretsName | undefined {
  const match = /^secrets\.(\d+)\.([0-9a-z]+)$/.exec(name ?? '');
  return match === null ? undefined : { version: Number(match[1]), fingerprint: match[2] ?? '' };
}

function baseName(path: string | undefined): string | undefined {
  return path?.slice(path.lastIndexOf('/') + 1);
}
