import { PgherdError } from '../../base/error.ts';
import type { Container } from '../../docker/types.ts';
import type { NodeConfig, Role } from '../../postgres/config.ts';
import { formatRecordName, type Layout, type RecordName } from '../../postgres/layout.ts';
import { parseRecord, recordEntries, type GroupRecord } from '../../postgres/record.ts';
import { nodeRevision, revisionEntries } from '../../postgres/revision.ts';
import { passwordFingerprint, scramVerifier } from '../../postgres/scram.ts';
import { bootstrapSql, endSendersSql, passwordSql, slotsSql } from '../../postgres/sql.ts';
import type { ActionContext } from '../actions.ts';

/** A container with the layout of its volume. `container` is an id where it was seen, else its name. */
export type Placed = { readonly container: string; readonly layout: Layout };

export type NodeSettings = Omit<NodeConfig, 'role'>;

/** Where the record of a group can be read. */
export type RecordSource = Placed & { readonly record: RecordName };

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
      readonly targets: readonly (Placed & { readonly image: string })[];
    }
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

/** The exit code of the bootstrap script where an init script failed. */
const initScriptFailed = 65;

/** Milliseconds that init scripts may take together; where the server ends before, so does the wait. */
const bootstrapDeadline = 24 * 3600 * 1000;

/** Seconds a server may take to answer before a step counts as failed; crash recovery and clones take longer, and are waited for again. */
const readySeconds = 120;

export const nodeActions = {
  'prepare-bootstrap': async (action: Of<'prepare-bootstrap'>, context: ActionContext) => {
    const record = firstRecord(action, context);
    const revision = nodeRevision({ ...action.settings, role: { is: 'bootstrap' } }, action.node.layout);
    const scripts = await Promise.all(action.initScripts.map(context.readFile));
    await write(action.node, action.image, context, [
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
    context.records.set(action.group, record);
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
    await write(action.node, action.image, context, [
      ...(record === undefined ? [] : recordEntries(record)),
      ...revisionEntries(revision, action.atStart),
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
    };
    const written = await Promise.allSettled(
      action.targets.map((target) => write(target, target.image, context, recordEntries(record))),
    );
    const reached = written.filter(({ status }) => status === 'fulfilled').length;
    const failed = written.find((result) => result.status === 'rejected');
    if (failed !== undefined && reached * 2 <= action.targets.length) throw failed.reason;
    context.records.set(action.group, record);
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
  const path = `${source.layout.home}/${formatRecordName(source.record)}`;
  const record = parseRecord(await readText(context, source.container, path));
  if (record === undefined) {
    throw new PgherdError('node-failed', `the group record ${path} in ${source.container} cannot be read`, {
      remedy: 'compare it with the one in the volumes of the other nodes of the group',
    });
  }
  context.records.set(group, record);
  return record;
}

async function write(
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

/** What psql is to run: arguments, which are whole or not there, or an input that no process list shows. */
type Sql = { readonly statements: readonly string[] } | { readonly input: string };

async function runSql(context: ActionContext, node: Placed, superuser: string, sql: Sql): Promise<void> {
  const command = [
    'psql',
    '-XAtq',
    '-v',
    'ON_ERROR_STOP=1',
    '-h',
    '/var/run/postgresql',
    '-U',
    superuser,
    '-d',
    'postgres',
    ...('statements' in sql ? sql.statements.flatMap((statement) => ['-c', statement]) : []),
  ];
  const result = await context.engine.exec(node.container, {
    command,
    ...('input' in sql ? { input: sql.input } : {}),
  });
  if (result.code !== 0) throw await explain(context, node.container, 'SQL', result.stderr);
}

async function runScript(
  context: ActionContext,
  node: Placed,
  script: string,
  args: readonly string[],
  input?: string,
): Promise<string> {
  const result = await context.engine.exec(node.container, {
    command: ['sh', `${node.layout.home}/${script}`, ...args],
    deadline: script === 'config/bootstrap' ? bootstrapDeadline : (readySeconds + 30) * 1000,
    ...(script.endsWith('/await') ? { signal: context.signal } : {}),
    ...(input === undefined ? {} : { input }),
  });
  if (result.code === 0) return result.stdout.trim();
  throw await explain(
    context,
    node.container,
    script.split('/').at(-1) ?? script,
    result.stderr,
    script === 'config/bootstrap' && result.code === initScriptFailed,
  );
}

// Where the server itself gave up, its own last words say more than those of who waited for it.
async function explain(
  context: ActionContext,
  ref: string,
  asked: string,
  said: string,
  isFinal = false,
): Promise<PgherdError> {
  const container: Container | undefined = await context.engine.inspectContainer(ref);
  const what = `${asked} in ${container?.name ?? ref}`;
  const lines = said.trim().split('\n').slice(-3).join('; ');
  if (container?.state === 'running' && container.restartCount === 0) {
    if (!isFinal) return new PgherdError('node-failed', `${what}: ${lines || 'failed'}`, { retry: true });
    return new PgherdError('node-failed', `${what}: an init script failed: ${lines}`, {
      remedy: 'mend the script and run the command again: the group then begins anew, in a new volume',
    });
  }
  const log = (await context.engine.readLogs(ref, 5)).trim().split('\n').join('; ');
  return new PgherdError('node-failed', `${what}: the server ended (${container?.state ?? 'gone'}): ${log || lines}`, {
    remedy: `see \`docker logs ${container?.name ?? ref}\``,
    retry: true,
  });
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
