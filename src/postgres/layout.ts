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
 *     state          -> bootstrapping, cloning, half, or data.<system_identifier>
 *     record         -> record.<version>.<leader>.<members>[.paused].json, the group record
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
export const factLinks = ['state', 'config', 'started', 'loaded', 'record', 'secrets'] as const;
export type FactLink = (typeof factLinks)[number];

export type NodeState =
  | { readonly is: 'empty' }
  /** Bootstrap or clone under way, or cut short. */
  | { readonly is: 'bootstrapping' | 'cloning' | 'half' }
  | { readonly is: 'data'; readonly systemIdentifier: string };

/** What a node's volume says of itself. */
export type NodeFacts = {
  readonly state: NodeState;
  /** Names of revisions. */
  readonly config: string | undefined;
  readonly started: string | undefined;
  readonly loaded: string | undefined;
  readonly record: RecordName | undefined;
  readonly secrets: SecretsName | undefined;
};

/** What the name of a group record tells without reading it. */
export type RecordName = {
  readonly version: number;
  /** Slot of the leader. */
  readonly leader: number;
  /** Slots of all members, ascending. */
  readonly members: readonly number[];
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
    record: readRecordName(baseName(links.record)),
    secrets: readSecretsName(baseName(links.secrets)),
  };
}

export function formatRecordName({ version, leader, members, paused }: RecordName): string {
  return `record.${String(version)}.${String(leader)}.${members.join('-')}${paused ? '.paused' : ''}.json`;
}

export function formatSecretsName({ version, fingerprint }: SecretsName): string {
  return `secrets.${String(version)}.${fingerprint}`;
}

function readState(name: string | undefined): NodeState {
  if (name === undefined) return { is: 'empty' };
  if (name === 'bootstrapping' || name === 'cloning' || name === 'half') return { is: name };
  const systemIdentifier = /^data\.(\d+)$/.exec(name)?.[1];
  // An unknown state is never taken for an empty volume.
  return systemIdentifier === undefined ? { is: 'half' } : { is: 'data', systemIdentifier };
}

function readRecordName(name: string | undefined): RecordName | undefined {
  const match = /^record\.(\d+)\.(\d+)\.([\d-]+)(\.paused)?\.json$/.exec(name ?? '');
  if (match === null) return undefined;
  const [, version, leader, members = '', paused] = match;
  return {
    version: Number(version),
    leader: Number(leader),
    members: members.split('-').map(Number),
    paused: paused !== undefined,
  };
}

function readSecretsName(name: string | undefined): SecretsName | undefined {
  const match = /^secrets\.(\d+)\.([0-9a-z]+)$/.exec(name ?? '');
  return match === null ? undefined : { version: Number(match[1]), fingerprint: match[2] ?? '' };
}

function baseName(path: string | undefined): string | undefined {
  return path?.slice(path.lastIndexOf('/') + 1);
}
