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
  /** The engine ends, by itself or by force, and is started after so long. Only where no one else uses it. */
  | { readonly kind: 'restart-engine'; readonly by: 'kill' | 'stop'; readonly ms: number };

export type FaultKind = Fault['kind'];

/** Those of which the leader dies and nothing else happens. */
const deaths = ['kill', 'kill-postmaster', 'remove', 'out-of-memory'] as const satisfies readonly FaultKind[];
export type DeathKind = (typeof deaths)[number];

/** All that an engine can stand that others use too. */
export const faultKinds = [
  ...deaths,
  'pause',
  'stop-postmaster',
  'disconnect',
  'kill-controller',
  'kill-next-leader',
  'kill-two',
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
    case 'restart-engine':
      return { kind, by: pick(random, ['kill', 'stop']), ms: between(random, 0, 3000) };
  }
}

/** A few words for people, from which the fault can be told in full. */
export function describeFault(fault: Fault): string {
  switch (fault.kind) {
    case 'pause':
    case 'stop-postmaster':
      return `${fault.kind} for ${seconds(fault.ms)}`;
    case 'disconnect':
      return `${fault.kind} from its ${fault.from}`;
    case 'kill-controller':
      return `${fault.kind} ${seconds(fault.afterMs)} after ${fault.during}, for ${seconds(fault.awayMs)}`;
    case 'kill-two':
      return `${fault.kind}, with replica ${fault.replica + 1} of 2`;
    case 'restart-engine':
      return `${fault.kind} by ${fault.by}, for ${seconds(fault.ms)}`;
    default:
      return fault.kind;
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
