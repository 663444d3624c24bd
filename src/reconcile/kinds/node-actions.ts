import type { Role } from '../../postgres/config.ts';
import { baseName } from '../../postgres/layout.ts';
import { nextReigns, recordEntries, type GroupRecord, type LeaderChange } from '../../postgres/record.ts';
import { nodeRevision, revisionEntries } from '../../postgres/revision.ts';
import { scramVerifier } from '../../postgres/scram.ts';
import { bootstrapSql, endSendersSql, passwordSql, slotsSql } from '../../postgres/sql.ts';
import type { ActionContext } from '../actions.ts';
import {
  firstRecord,
  keepInMind,
  ownEpoch,
  readRecord,
  nextTimeline,
  remember,
  renewSecrets,
  writeRecord,
  type NodeSettings,
  type RecordSource,
  type RecordTarget,
} from './group-record.ts';
import { awaitReady, runScript, runSql, upSeconds } from './inside-node.ts';
import { writeFolder, type Placed } from './node-folder.ts';

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
      /**
       * It was taken out of service, and may serve again: `lead` as the leader that it still is, `ended` or `kept` once it
       * has been started; `kept`: what it wrote last may have been acknowledged.
       */
      readonly unfence: 'lead' | 'ended' | 'kept' | undefined;
    }
  /** `isStarting`: it may not take connections yet, which is no failure; the wait for that ends with the next news. */
  | { readonly do: 'reload'; readonly node: Placed; readonly revision: string; readonly isStarting?: boolean }
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
      readonly known: Pick<GroupRecord, 'sync' | 'fork'>;
      /** A change of leaders, to be remembered. */
      readonly change?: Omit<LeaderChange, 'at'> | undefined;
      readonly targets: readonly RecordTarget[];
      /** Volumes for the case that too few of those can be written: they are given it with what their nodes are to be. */
      readonly spares?: readonly RecordTarget[];
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
  /** Ends the readers that keep a follower from streaming. */
  | { readonly do: 'free-replay'; readonly node: Placed }
  | { readonly do: 'set-password'; readonly group: string; readonly node: Placed; readonly superuser: string };

/** Seconds in which the readers that hold up a replay are to be gone. */
const freeSeconds = 5;

type Of<K extends NodeAction['do']> = Extract<NodeAction, { do: K }>;

export const nodeActions = {
  'prepare-bootstrap': async (action: Of<'prepare-bootstrap'>, context: ActionContext) => {
    const record = firstRecord(action.group, action.slot, context);
    const revision = nodeRevision({ ...action.settings, role: { is: 'bootstrap' } }, action.node.layout);
    const scripts = await Promise.all(action.initScripts.map(context.readFile));
    await writeFolder(action.node, action.image, context, [
      ...recordEntries(record),
      { type: 'directory', path: 'init', mode: 0o700 },
      ...scripts.map((content, index) => ({
        type: 'file' as const,
        path: `init/${String(index).padStart(3, '0')}-${baseName(action.initScripts[index]) ?? ''}`,
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
    if (action.isStarting === true) {
      await runScript(context, action.node, `${action.revision}/await`, [String(upSeconds), 'up']);
    }
    await runScript(context, action.node, `${action.revision}/apply`, []);
  },
  'await-node': async ({ node, revision }: Of<'await-node'>, context: ActionContext) => {
    await awaitReady(context, node, revision);
  },
  'write-record': async (action: Of<'write-record'>, context: ActionContext) => {
    const old = await readRecord(action.group, action.source, context);
    const record: GroupRecord = {
      ...old,
      epoch: ownEpoch(context),
      version: action.source.record.version + 1,
      leader: action.leader,
      members: action.members,
      systemIdentifier: action.systemIdentifier,
      secrets: action.renewPassword ? renewSecrets(action.group, old, context) : old.secrets,
      ...action.known,
      ...(action.change === undefined
        ? {}
        : {
            changes: remember(old, action.change),
            timeline: nextTimeline(old, action.change),
            reigns: nextReigns(old, { leader: action.leader, fork: action.known.fork }),
          }),
    };
    await writeRecord(record, action.targets, context, action.spares);
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
    await awaitReady(context, action.node, 'config');
  },
  'free-replay': async (action: Of<'free-replay'>, context: ActionContext) => {
    await runScript(context, action.node, 'config/free', [String(freeSeconds)]);
  },
  'set-password': async (action: Of<'set-password'>, context: ActionContext) => {
    const password = context.passwordOf(action.group);
    if (password === undefined) return;
    const verifier = scramVerifier(password, context.randomBytes(16));
    await runSql(context, action.node, action.superuser, { input: passwordSql(action.superuser, verifier) });
  },
};
