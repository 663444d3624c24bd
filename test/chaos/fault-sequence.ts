import { between, pick, seeded, shuffle, type Random } from './random.ts';

/** What is done to a cluster. Whoever leads when it is done is the one it is done to. */
export type Fault =
  /** `docker kill`: the engine does not start it again. */
  | { readonly kind: 'kill' }
  /** `kill -9` of the postmaster: the engine starts it again. */
  | { readonly kind: 'kill-postmaster' }
  /** `docker rm -f`: what is left is its volume. */
  | { readonly kind: 'remove' }
  /** `docker pause`, and `docker unpause` after so long. */
  | { readonly kind: 'pause'; readonly ms: number }
  /** The postmaster alone stands still for so long: those who are connected go on, nobody else can connect. */
  | { readonly kind: 'stop-postmaster'; readonly ms: number }
  | { readonly kind: 'disconnect'; readonly from: 'own network' | 'write network' | 'both networks' }
  /** The kernel kills its first process, for want of memory. */
  | { readonly kind: 'out-of-memory' }
  /** Another fault, and `afterMs` later the daemon is killed, and started anew after `awayMs`. */
  | {
      readonly kind: 'kill-controller';
      readonly during: DeathKind;
      readonly afterMs: number;
      readonly awayMs: number;
    }
  /** The leader is killed, and whoever leads next too. */
  | { readonly kind: 'kill-next-leader' }
  /** The leader is killed, and with it one of the replicas: the first or the second. */
  | { readonly kind: 'kill-two'; readonly replica: 0 | 1 }
  /** Killed again within half a second of its return: the whole server, or a process without which it restarts all others. */
  | {
      readonly kind: 'crash-twice';
      readonly process: 'postmaster' | 'checkpointer';
      /** From its return to the second time. */
      readonly apartMs: number;
      /** Whether its container is killed as soon as it is back from that too. */
      readonly isKilledThen: boolean;
    }
  /**
   * A command has read what there is, and is suspended for `stallMs` before it writes. A leader that dies does so
   * `afterMs` after the command was suspended (a failover begins `afterMs` after that instead). What was paused is
   * resumed after `pausedMs`.
   */
  | {
      readonly kind: StalledKind;
      readonly stallMs: number;
      readonly death: LateDeath | undefined;
      readonly pausedMs: number;
    }
  /** A long report runs on each replica, the leader changes what it reads, and perhaps dies. */
  | { readonly kind: 'reports'; readonly conflict: 'drop' | 'vacuum'; readonly death: LateDeath | undefined }
  /** Clients take all the connections that all nodes have, write, and come again when they get no answer. */
  | { readonly kind: 'connections'; readonly ms: number; readonly death: LateDeath | undefined }
  /** All processes of a replica's server stand still, or its container does; and perhaps its leader dies. */
  | {
      readonly kind: 'hang-replica';
      readonly by: 'SIGSTOP' | 'docker pause';
      readonly replica: 0 | 1;
      readonly death: LateDeath | undefined;
    }
  /** Scripts that run inside nodes are killed, so long after they were first seen; `during`: what has them run. */
  | {
      readonly kind: 'kill-script';
      readonly script: NodeScript;
      readonly times: number;
      readonly afterMs: number;
      /** Or only the shell: what it has started goes on without it. */
      readonly isWhole: boolean;
      readonly during: DeathKind | 'switchover';
    }
  /**
   * The daemon stands still for so long while another one takes its lock over; `at`: so long after the other fault, or
   * as soon as a script runs in a node.
   */
  | {
      readonly kind: 'suspend-controller';
      readonly ms: number;
      readonly at: number | NodeScript;
      readonly during: DeathKind | 'switchover';
    }
  /** The engine ends, by itself or by force, and is started after so long. Only where no one else uses it. */
  | { readonly kind: 'restart-engine'; readonly by: 'kill' | 'stop'; readonly ms: number };

export type FaultKind = Fault['kind'];

/** Those of which the leader dies and nothing else happens. */
const deaths = ['kill', 'kill-postmaster', 'remove', 'out-of-memory'] as const satisfies readonly FaultKind[];
export type DeathKind = (typeof deaths)[number];

/** The leader dies so long after something else. */
export type LateDeath = { readonly how: DeathKind; readonly afterMs: number };

export type StalledKind = 'stalled-pause' | 'stalled-switchover' | 'stalled-failover';

/** Scripts that the daemon runs inside nodes when leaders change. */
export const nodeScripts = ['detach', 'promote', 'apply', 'caught-up'] as const;
export type NodeScript = (typeof nodeScripts)[number];

/** All that an engine can stand that others use too. */
export const faultKinds = [
  ...deaths,
  'pause',
  'stop-postmaster',
  'disconnect',
  'kill-controller',
  'kill-next-leader',
  'kill-two',
  'crash-twice',
  'stalled-pause',
  'stalled-switchover',
  'stalled-failover',
  'reports',
  'connections',
  'hang-replica',
  'kill-script',
  'suspend-controller',
] as const satisfies readonly FaultKind[];

/** With a rest before, in which the cluster is well and under load. */
export type Round = { readonly restMs: number; readonly fault: Fault };

/** The same faults for the same seed. Each of the kinds comes once before any comes again. */
export function faultSequence(seed: number, count: number, kinds: readonly FaultKind[] = faultKinds): readonly Round[] {
  if (kinds.length === 0) throw new Error('no kinds of faults to choose from');
  const random = seeded(seed);
  const rounds: Round[] = [];
  while (rounds.length < count) {
    for (const kind of shuffle(random, kinds)) {
      rounds.push({ restMs: between(random, 0, 2000), fault: draw(random, kind) });
    }
  }
  return rounds.slice(0, count);
}

function draw(random: Random, kind: FaultKind): Fault {
  switch (kind) {
    case 'kill':
    case 'kill-postmaster':
    case 'remove':
    case 'out-of-memory':
    case 'kill-next-leader':
      return { kind };
    case 'pause':
    case 'stop-postmaster':
      return { kind, ms: between(random, 200, 8000) };
    case 'disconnect':
      return { kind, from: pick(random, ['own network', 'write network', 'both networks']) };
    case 'kill-controller':
      return {
        kind,
        during: pick(random, deaths),
        // From before it has noticed to after it is done.
        afterMs: between(random, 0, 2500),
        awayMs: between(random, 0, 1500),
      };
    case 'kill-two':
      return { kind, replica: pick(random, [0, 1]) };
    case 'crash-twice':
      return {
        kind,
        process: pick(random, ['postmaster', 'checkpointer']),
        apartMs: between(random, 0, 500),
        isKilledThen: pick(random, [true, false]),
      };
    case 'stalled-pause':
    case 'stalled-switchover':
    case 'stalled-failover': {
      const stallMs = between(random, 0, 5000);
      // Nobody fails over from a leader that answers.
      const death = {
        how: pick(random, deaths),
        afterMs: between(random, 0, kind === 'stalled-failover' ? 300 : 2000),
      };
      const isDying = kind === 'stalled-failover' || pick(random, [true, true, false]);
      return { kind, stallMs, death: isDying ? death : undefined, pausedMs: between(random, 0, 3000) };
    }
    case 'reports':
      return { kind, conflict: pick(random, ['drop', 'vacuum']), death: drawDeath(random, 2000) };
    case 'connections':
      return { kind, ms: between(random, 4000, 10_000), death: drawDeath(random, 3000) };
    case 'hang-replica':
      return {
        kind,
        by: pick(random, ['SIGSTOP', 'SIGSTOP', 'docker pause']),
        replica: pick(random, [0, 1]),
        death: drawDeath(random, 5000),
      };
    case 'kill-script':
      return {
        kind,
        script: pick(random, nodeScripts),
        times: between(random, 1, 2),
        afterMs: between(random, 0, 150),
        isWhole: pick(random, [true, false]),
        during: pick(random, [...deaths, 'switchover']),
      };
    case 'suspend-controller':
      return {
        kind,
        ms: between(random, 500, 8000),
        at: pick(random, [between(random, 0, 2500), ...nodeScripts]),
        during: pick(random, [...deaths, 'switchover']),
      };
    case 'restart-engine':
      return { kind, by: pick(random, ['kill', 'stop']), ms: between(random, 0, 3000) };
  }
}

/** Three times of four. */
function drawDeath(random: Random, mostMs: number): LateDeath | undefined {
  const death = { how: pick(random, deaths), afterMs: between(random, 0, mostMs) };
  return pick(random, [true, true, true, false]) ? death : undefined;
}
