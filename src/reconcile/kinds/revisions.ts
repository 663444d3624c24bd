import { needsRestart } from '../../postgres/parameters.ts';
import { nodeScripts } from '../../postgres/scripts.ts';
import { compareRecords, finalPosition } from '../../postgres/layout.ts';
import { parseSettings, type Role } from '../../postgres/config.ts';
import { revisionInPlaceOf, revisionNeedsRestart } from '../../base/revision.ts';
import type { Revision } from '../../postgres/revision.ts';
import type { Container } from '../../docker/types.ts';
import type { Node } from '../../topology/model.ts';
import type { GroupContext } from '../context.ts';
import type { GroupView } from '../group.ts';
import { nodeResource } from '../names.ts';
import { step, type Blocked, type Check, type FieldChange, type Reason, type Step, type Verb } from '../plan.ts';
import type { ObservedNode } from '../snapshot.ts';
import { bootstrapSteps } from './bootstrap.ts';
import { votersOf } from './find-node.ts';
import { nodeSettings, roleOf, wantedRevision } from './node-config.ts';
import { nodeStopSeconds } from './node-spec.ts';

/** Seconds that a server which does not answer may take to end. */
const hungStopSeconds = 2;

/** Whether a server that is to lead has only followed so far. */
function mustPromote({ facts, isStandby }: ObservedNode): boolean {
  if (facts.serves === 'follow' || facts.serves === 'promoting') return true;
  // Of one that was fenced, only its data says so.
  return facts.serves !== 'lead' && facts.state.is === 'data' && isStandby;
}

/** The step that promotes the leader, where it has only followed so far. */
export function findPromotion(
  { group }: GroupContext,
  { leader }: Extract<GroupView, { phase: 'led' }>,
): string | undefined {
  const node = group.nodes.find(({ slot }) => slot === leader.slot);
  return node !== undefined && mustPromote(leader) ? `${nodeResource(node.name)}: promote` : undefined;
}

export type RevisionChanges = {
  readonly verb: Verb;
  readonly fields: readonly FieldChange[];
  /** In order. */
  readonly steps: readonly Step[];
  readonly reason: Reason | undefined;
  readonly checks: readonly Check[];
};

const nothing: RevisionChanges = { verb: 'update', fields: [], steps: [], reason: undefined, checks: [] };

/** What brings a node that is there to its revision, and to run. */
export function compareRevision(context: GroupContext, node: Node, observed: ObservedNode): RevisionChanges {
  const { view } = context;
  const role = roleOf(context, node);
  const wanted = wantedRevision(context, node);
  if (role === undefined || wanted === undefined) return nothing;
  if (role.is === 'bootstrap') {
    const detail = 'created, and never initialised';
    return {
      ...nothing,
      verb: 'start',
      steps: bootstrapSteps(context, node, observed.layout),
      reason: { code: 'stopped', detail },
    };
  }
  if (view.phase !== 'led') return nothing;
  const resource = nodeResource(node.name);
  const { container, facts, layout } = observed;
  const placed = { container: container.id, layout };
  const isRunning = container.state === 'running' || container.state === 'paused';
  // A container that was replaced may have another server, which may take what the one before refused.
  const inForce = container.state === 'created' ? wanted.name : revisionInPlaceOf(wanted.name, facts.config);
  const differs = facts.config !== inForce;
  const isFenced = facts.serves === 'fenced';
  // It was away when another one took over. Before it starts, it is not to be taken for one that takes writes.
  const isOfLeader = !observed.isStandby && (facts.serves === 'lead' || facts.serves === 'promoting');
  const hasLed = !isRunning && role.is === 'follow' && isOfLeader;
  const promotes = role.is === 'lead' && mustPromote(observed);
  const lacksRecord =
    facts.record === undefined || observed.isLinkLate === true || compareRecords(facts.record, view.record) !== 0;
  // A clone under way reads whom it follows from what is in force, and there is no server to load anything.
  const hasServed = facts.started !== undefined;
  // One that led and is about to follow starts its server only then, with what is in force by that time.
  const hasServer = facts.state.is === 'data' && (role.is !== 'follow' || observed.isStandby);
  const restart = isRunning && hasServer && hasServed && revisionNeedsRestart(facts.started, inForce);
  const isHung = context.snapshot.hung.has(container.id);
  const isSilent = context.snapshot.silent.has(container.id);
  const isCutOff = facts.detached !== undefined && isInService(context, view.leader);
  const mustLoad = hasServed && (differs || facts.loaded !== inForce || isCutOff);
  // A restart may wait for others for long: whom it follows, and whom its commits wait for, is to be in force before. One
  // that says nothing holds up nobody else's steps: it is told as soon as it speaks, or when nothing else is left to do.
  // One that was just asked how far it has come is not silent, whatever is heard of it.
  const isMute = isSilent && finalPosition(facts.detached) === undefined;
  const mayLoad = container.state === 'running' && !promotes && !isHung && mustLoad;
  const loads = mayLoad && !isMute;
  const source = { container: view.source.container.id, layout: view.source.layout, record: view.record };
  const steps: Step[] = [];
  if (differs || lacksRecord || isFenced || hasLed) {
    steps.push(
      step(resource, {
        do: 'write-config',
        group: context.group.name,
        node: placed,
        image: container.image,
        settings: nodeSettings(context, node),
        role,
        // Whoever was fenced may be started by anybody as soon as it is no more.
        atStart: !isRunning || isFenced || (!loads && !promotes),
        unfence: hasLed ? 'kept' : isFenced ? unfencedAs(role, observed) : undefined,
        record: lacksRecord ? source : undefined,
      }),
    );
  }
  const isStarting = isMute || container.health.status === 'starting';
  const load = { do: 'reload', node: placed, revision: wanted.name, isStarting } as const;
  if (loads) steps.push(step(resource, load));
  if (container.state === 'paused') steps.push(step(resource, { do: 'unpause', container: container.id }));
  else if (!isRunning) steps.push(step(resource, { do: 'start', container: container.id }));
  else if (isHung || (restart && !promotes)) {
    const stopSeconds = isHung ? hungStopSeconds : nodeStopSeconds;
    steps.push(step(resource, { do: 'restart', container: container.id, stopSeconds }));
  }
  if (promotes) {
    const followers = view.record.members.filter((slot) => slot !== node.slot);
    const { fork } = view.record;
    const kind = isPlanned(context) ? 'switchover' : 'failover';
    const action = {
      do: 'promote',
      node: placed,
      name: node.name,
      revision: wanted.name,
      followers,
      kind,
      fork,
      group: context.group.name,
      source,
      ...votersOf(context, view.record),
    } as const;
    steps.push(step(resource, action));
  }
  const wait = step(resource, { do: 'await-node', node: placed, name: node.name, revision: wanted.name });
  const isInterrupted = !isRunning || restart || isHung || promotes || container.state === 'paused';
  if (isInterrupted) steps.push(wait);
  const isHealthy = container.health.status === 'healthy' && !isSilent;
  const last = mayLoad && isMute ? load : isHealthy ? undefined : wait.action;
  return {
    verb: promotes ? 'promote' : !isRunning ? 'start' : restart || isHung ? 'restart' : 'update',
    fields: differs ? settingFields(context, container, wanted) : [],
    steps,
    reason:
      steps.length > 0 ? reasonOf(container, { differs, restart, isRunning, promotes, isHung, isCutOff }) : undefined,
    checks: isInterrupted || last === undefined ? [] : [{ resource, action: last }],
  };
}

/** That its server refuses the settings of the file, and keeps those it has loaded. */
export function findRefused(context: GroupContext, node: Node, { facts }: ObservedNode): Blocked | undefined {
  const wanted = wantedRevision(context, node)?.name;
  if (wanted === undefined || revisionInPlaceOf(wanted, facts.config) === wanted) return undefined;
  const said = facts.refused ?? 'it does not say why';
  const detail = `its server refuses the configuration: ${said}; it goes on with the settings of before`;
  return {
    resource: nodeResource(node.name),
    reason: { code: 'settings-refused', detail },
    remedy: 'put it right in the file',
  };
}

// What is to become of a server that was fenced. One that leads by the record and was never stopped leads on.
function unfencedAs(role: Role, { facts, container }: ObservedNode): 'lead' | 'ended' | 'kept' {
  if (role.is === 'lead' && container.state === 'running') return 'lead';
  return facts.fencedFor === 'forced' ? 'kept' : 'ended';
}

// While nobody does, those that are to take over follow nobody.
function isInService({ group, snapshot }: GroupContext, { container, facts }: ObservedNode): boolean {
  return container.state === 'running' && facts.serves !== 'fenced' && !snapshot.lost.has(group.name);
}

// Whoever led before was stopped in order for it.
function isPlanned({ group, snapshot }: GroupContext): boolean {
  return snapshot.nodes.some(
    ({ group: of, facts }) => of === group.name && (facts.fencedFor === 'asked' || facts.fencedFor === 'removed'),
  );
}

function reasonOf(
  container: Container,
  found: {
    readonly differs: boolean;
    readonly restart: boolean;
    readonly isRunning: boolean;
    readonly promotes: boolean;
    readonly isHung: boolean;
    readonly isCutOff: boolean;
  },
): Reason {
  if (found.promotes) return { code: 'promotion', detail: 'it is to lead, and only follows so far' };
  if (found.isHung) return { code: 'hung', detail: 'its server runs, and does not answer' };
  if (container.state === 'created') return { code: 'stopped', detail: 'created, and never started' };
  if (container.state === 'paused') return { code: 'paused', detail: 'its container is paused' };
  if (!found.isRunning) {
    const detail = `its container is ${container.state} (exit code ${String(container.exitCode)})`;
    return { code: 'stopped', detail };
  }
  if (found.differs) return { code: 'configuration', detail: 'its configuration is not as the file says' };
  if (found.restart)
    return { code: 'restart-pending', detail: 'it has not been restarted since its configuration changed' };
  if (found.isCutOff) return { code: 'detached', detail: 'it was told to follow nobody, and its leader serves' };
  return { code: 'reload-pending', detail: 'it has not loaded what its volume says' };
}

function settingFields(context: GroupContext, container: Container, wanted: Revision): readonly FieldChange[] {
  const live = context.snapshot.inForce[container.id];
  if (live === undefined) return [];
  const before = parseSettings(live['postgresql.conf'] ?? '');
  const names = [...new Set([...Object.keys(before), ...Object.keys(wanted.settings)])].sort();
  const settings = names
    .filter((name) => before[name] !== wanted.settings[name])
    .map((name): FieldChange => ({
      path: `parameters.${name}`,
      before: before[name],
      after: wanted.settings[name],
      effect: needsRestart(name, container.postgresMajor) ? 'restart' : 'live',
    }));
  const others = ['pg_hba.conf', 'pg_ident.conf', 'role']
    .filter((file) => live[file] !== wanted.files[file])
    .map((file): FieldChange => ({
      path: file,
      before: excerpt(live[file]),
      after: excerpt(wanted.files[file]),
      effect: 'live',
    }));
  const isOtherVersion = Object.entries(nodeScripts).some(([file, script]) => live[file] !== script);
  const scripts: readonly FieldChange[] = isOtherVersion
    ? [{ path: 'scripts', before: "(another version's)", after: "(this version's)", effect: 'live' }]
    : [];
  return [...settings, ...others, ...scripts];
}

// One word of a role says it all; of a longer file, that it changed.
function excerpt(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const lines = text.trim().split('\n');
  return lines.length === 1 ? lines[0]?.split(' ')[0] : `(${String(lines.length)} lines)`;
}
