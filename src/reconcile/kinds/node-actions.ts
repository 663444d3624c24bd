import { PgherdError } from '../../base/error.ts';
import type { NodeConfig, Role } from '../../postgres/config.ts';
import { formatRecordName, type Layout, type RecordName } from '../../postgres/layout.ts';
import {
  keptChanges,
  nameOfRecord,
  parseRecord,
  recordEntries,
  type GroupRecord,
  type LeaderChange,
} from '../../postgres/record.ts';
import { nodeRevision, revisionEntries } from '../../postgres/revision.ts';
import { passwordFingerprint, scramVerifier } from '../../postgres/scram.ts';
import { bootstrapSql, endSendersSql, passwordSql, slotsSql } from '../../postgres/sql.ts';
import type { ActionContext } from '../actions.ts';
import { readySeconds, runScript, runSql } from './inside-node.ts';

/** A container with the layout of its volume. `container` is an id where it was seen, else its name. */
export type Placed = { readonly container: string; readonly layout: Layout };

export type NodeSettings = Omit<NodeConfig, 'role'>;

/** Where the record of a group can be read. */
export type RecordSource = Placed & { readonly record: RecordName };

/** A volume that a record is written into, at once with what its node is to be. */
export type RecordTarget = Placed & {
  readonly image: string;
  readonly config?: { readonly settings: NodeSettings; readonly role: Role; readonly atStart: boolean } | undefined;
};

export type NodeAction =
  /** Secrets, the first record and the role `bootstrap`, into a volume that never held data. */
  | {
      readonly do: 'prepare-bootstrap';
      readonly group: string;
      readonly slot: number;
      readonly node: Placed;
      readonly image: string;
      readonly settings: NodeSettings;
      readonly initScripts: readonly string[];
    }
  | {
      readonly do: 'finish-bootstrap';
      readonly group: string;
      readonly node: Placed;
      readonly settings: NodeSettings;
      readonly followers: readonly number[];
    }
  | {
      readonly do: 'write-config';
      readonly group: string;
      readonly node: Placed;
      readonly image: string;
      readonly settings: NodeSettings;
      readonly role: Role;
      /** In force at the next start; a running server is told by `reload`. */
      readonly atStart: boolean;
      /** With the group's record, for a volume that has none. */
      readonly record: RecordSource | undefined;
      /** It was taken out of service, and may be started again; `kept`: what it wrote last may have been acknowledged. */
      readonly unfence: 'ended' | 'kept' | undefined;
    }
  | { readonly do: 'reload'; readonly node: Placed; readonly revision: string }
  | { readonly do: 'await-node'; readonly node: Placed; readonly name: string; readonly revision: string }
  | {
      readonly do: 'write-record';
      readonly group: string;
      readonly source: RecordSource;
      readonly leader: number;
      readonly members: readonly number[];
      readonly systemIdentifier: string;
      /** A password of the file to be recorded. */
      readonly renewPassword: boolean;
      /** What else is to be known from now on; what is absent stays what it was. */
      readonly known: Pick<GroupRecord, 'sync' | 'handover' | 'fork'>;
      /** A change of leaders, to be remembered. */
      readonly change?: Omit<LeaderChange, 'at'> | undefined;
      readonly targets: readonly RecordTarget[];
    }
  /** So that it need not be read when it is to be changed. */
  | { readonly do: 'read-record'; readonly group: string; readonly source: RecordSource }
  | {
      readonly do: 'set-slots';
      readonly node: Placed;
      readonly superuser: string;
      readonly followers: readonly number[];
    }
  /** After an address changed: a connection that still stands leads nowhere, and nobody would notice for seconds. */
  | {
      readonly do: 'resume-streaming';
      readonly node: Placed;
      readonly name: string;
      readonly leader: Placed;
      readonly superuser: string;
    }
  | { readonly do: 'set-password'; readonly group: string; readonly node: Placed; readonly superuser: string };

type Of<K extends NodeAction['do']> = Extract<NodeAction, { do: K }>;

export const nodeActions = {
  'prepare-bootstrap': async (action: Of<'prepare-bootstrap'>, context: ActionContext) => {
    const record = firstRecord(action, context);
    const revision = nodeRevision({ ...action.settings, role: { is: 'bootstrap' } }, action.node.layout);
    const scripts = await Promise.all(action.initScripts.map(context.readFile));
    await writeFolder(action.node, action.image, context, [
      ...recordEntries(record),
      { type: 'directory', path: 'init', mode: 0o700 },
      ...scripts.map((content, index) => ({
        type: 'file' as const,
        path: `init/${String(index).padStart(3, '0')}-${baseName(action.initScripts[index] ?? '')}`,
        content,
        mode: 0o600,
      })),
      ...revisionEntries(revision, true),
    ]);
    keepInMind(action.group, record, context);
  },
  'finish-bootstrap': async (action: Of<'finish-bootstrap'>, context: ActionContext) => {
    const record = context.records.get(action.group);
    if (record === undefined) throw new Error(`the record of group ${action.group} was not prepared`);
    const { superuser, database } = action.settings;
    const { secrets } = record;
    const verifier = (password: string): string => scramVerifier(password, context.randomBytes(16));
    const sql = bootstrapSql({
      superuser,
      database,
      followers: action.followers,
      verifiers: {
        superuser: verifier(secrets.superuser),
        replication: verifier(secrets.replication),
        monitor: verifier(secrets.monitor),
      },
    });
    await runScript(context, action.node, 'config/bootstrap', [], sql);
  },
  'write-config': async (action: Of<'write-config'>, context: ActionContext) => {
    const record = action.record === undefined ? undefined : await readRecord(action.group, action.record, context);
    const revision = nodeRevision({ ...action.settings, role: action.role }, action.node.layout);
    await writeFolder(action.node, action.image, context, [
      ...(record === undefined ? [] : recordEntries(record)),
      ...revisionEntries(revision, action.atStart),
      ...(action.unfence === undefined ? [] : [{ type: 'link', path: 'serves', target: action.unfence } as const]),
    ]);
  },
  reload: async (action: Of<'reload'>, context: ActionContext) => {
    await runScript(context, action.node, `${action.revision}/apply`, []);
  },
  'await-node': async (action: Of<'await-node'>, context: ActionContext) => {
    await runScript(context, action.node, `${action.revision}/await`, [String(readySeconds)]);
  },
  'write-record': async (action: Of<'write-record'>, context: ActionContext) => {
    const old = await readRecord(action.group, action.source, context);
    const record: GroupRecord = {
      ...old,
      version: action.source.record.version + 1,
      leader: action.leader,
      members: action.members,
      systemIdentifier: action.systemIdentifier,
      secrets: action.renewPassword ? renewSecrets(action.group, old, context) : old.secrets,
      ...action.known,
      ...(action.change === undefined ? {} : { changes: remember(old, action.change) }),
    };
    await writeRecord(record, action.targets, context);
    keepInMind(action.group, record, context);
  },
  'read-record': async ({ group, source }: Of<'read-record'>, context: ActionContext) => {
    await readRecord(group, source, context);
  },
  'set-slots': async (action: Of<'set-slots'>, context: ActionContext) => {
    await runSql(context, action.node, action.superuser, { statements: slotsSql(action.followers) });
  },
  'resume-streaming': async (action: Of<'resume-streaming'>, context: ActionContext) => {
    await runSql(context, action.leader, action.superuser, { statements: [endSendersSql(action.name)] });
    await runScript(context, action.node, 'config/resume', []);
    await runScript(context, action.node, 'config/await', [String(readySeconds)]);
  },
  'set-password': async (action: Of<'set-password'>, context: ActionContext) => {
    const password = context.passwordOf(action.group);
    if (password === undefined) return;
    const verifier = scramVerifier(password, context.randomBytes(16));
    await runSql(context, action.node, action.superuser, { input: passwordSql(action.superuser, verifier) });
  },
};

/** Writes a record into volumes, a majority of them at least. */
export async function writeRecord(
  record: GroupRecord,
  targets: readonly RecordTarget[],
  context: ActionContext,
): Promise<void> {
  const written = await Promise.allSettled(
    targets.map((target) => {
      const { config, layout } = target;
      const entries =
        config === undefined
          ? []
          : revisionEntries(nodeRevision({ ...config.settings, role: config.role }, layout), config.atStart);
      return writeFolder(target, target.image, context, [...recordEntries(record), ...entries]);
    }),
  );
  const reached = written.filter(({ status }) => status === 'fulfilled').length;
  const failed = written.find((result) => result.status === 'rejected');
  if (failed !== undefined && reached * 2 <= targets.length) throw failed.reason;
}

function remember({ changes = [] }: GroupRecord, change: Omit<LeaderChange, 'at'>): readonly LeaderChange[] {
  return [{ at: new Date().toISOString(), ...change }, ...changes].slice(0, keptChanges);
}

function firstRecord({ group, slot }: Of<'prepare-bootstrap'>, context: ActionContext): GroupRecord {
  const generate = (): string => context.randomBytes(24).toString('base64url');
  const given = context.passwordOf(group);
  return {
    format: 1,
    version: 1,
    systemIdentifier: undefined,
    leader: slot,
    members: [slot],
    secrets: {
      version: 1,
      fingerprint: fingerprintOf(context.cluster, group, given),
      superuser: given ?? generate(),
      replication: generate(),
      monitor: generate(),
    },
  };
}

function renewSecrets(group: string, { secrets }: GroupRecord, context: ActionContext): GroupRecord['secrets'] {
  const given = context.passwordOf(group);
  if (given === undefined) return secrets;
  const fingerprint = fingerprintOf(context.cluster, group, given);
  return { ...secrets, version: secrets.version + 1, fingerprint, superuser: given };
}

/** What the name of a group's secrets tells of the superuser's password. */
export function fingerprintOf(cluster: string, group: string, given: string | undefined): string {
  return given === undefined ? 'generated' : passwordFingerprint(given, `${cluster}/${group}`);
}

/** A group's record, from what was last written or from a volume. */
export async function readRecord(group: string, source: RecordSource, context: ActionContext): Promise<GroupRecord> {
  const known = context.records.get(group);
  if (known !== undefined && known.version >= source.record.version) return known;
  const remembered = context.remembered.get(group);
  if (remembered !== undefined && nameOfRecord(remembered) === formatRecordName(source.record)) return remembered;
  const path = `${source.layout.home}/${formatRecordName(source.record)}`;
  const record = parseRecord(await readText(context, source.container, path));
  if (record === undefined) {
    throw new PgherdError('node-failed', `the group record ${path} in ${source.container} cannot be read`, {
      remedy: 'compare it with the one in the volumes of the other nodes of the group',
    });
  }
  keepInMind(group, record, context);
  return record;
}

function keepInMind(group: string, record: GroupRecord, { records, remembered }: ActionContext): void {
  records.set(group, record);
  remembered.set(group, record);
}

/** Writes entries into the folder that pgherd has in a node's volume. */
export async function writeFolder(
  node: Placed,
  image: string,
  context: ActionContext,
  entries: Parameters<typeof context.engine.writeArchive>[2],
): Promise<void> {
  const owner = await ownerOf(context, node.container, image, 'postgres');
  const folder = node.layout.home.slice(node.layout.mount.length + 1);
  await context.engine.writeArchive(
    node.container,
    node.layout.mount,
    [
      { type: 'directory', path: folder, mode: 0o700 },
      ...entries.map((entry) => ({ ...entry, path: `${folder}/${entry.path}` })),
    ],
    owner,
  );
}

/** The number of a user in an image, read from a container of it. */
export async function ownerOf(context: ActionContext, container: string, image: string, user: string): Promise<number> {
  const key = `${image} ${user}`;
  const known = context.owners.get(key);
  if (known !== undefined) return known;
  const passwd = await readText(context, container, '/etc/passwd');
  const line = passwd.split('\n').find((each) => each.startsWith(`${user}:`));
  const owner = Number(line?.split(':')[2]);
  if (Number.isNaN(owner)) {
    throw new PgherdError('node-failed', `the image ${image} has no user "${user}"`, {
      remedy: 'name an image with the layout of the official postgres image, or of pgBalancer',
    });
  }
  context.owners.set(key, owner);
  return owner;
}

/** A file in a container, empty where there is none; a container that is gone is no file that is empty. */
async function readText({ engine }: ActionContext, container: string, path: string): Promise<string> {
  const files = await engine.readArchive(container, path);
  if (files === undefined && (await engine.inspectContainer(container)) === undefined) {
    throw new PgherdError('not-found', `the container ${container} went away meanwhile`, { retry: true });
  }
  return [...(files?.values() ?? [])][0] ?? '';
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
