import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { standbyNames, type Commits } from '../../src/postgres/config.ts';
import type { RecordName, SyncList } from '../../src/postgres/layout.ts';
import type { Plan, Step } from '../../src/reconcile/plan.ts';
import { planCluster } from '../../src/reconcile/planner.ts';
import type { Heard } from '../../src/reconcile/reports.ts';
import type { Snapshot } from '../../src/reconcile/snapshot.ts';
import { changeNode, convergedSnapshot, topologyOf, withContainer, withFacts } from './support.ts';

/** How a replica is: `waits` runs and does not stream. */
type How = 'streams' | 'waits' | 'down' | 'cloning' | 'silent';
type Replica = { how: How; has: number; streamedAt: number };
type Op =
  | { readonly op: 'look' | 'step' | 'write' | 'wait' }
  | { readonly op: 'replicate'; readonly slot: number }
  | { readonly op: 'become'; readonly slot: number; readonly how: How }
  | { readonly op: 'edit'; readonly mode: 'async' | 'quorum'; readonly num: number; readonly durability: string };

const slots = [1, 2, 3] as const;
const nameOf = (slot: number): string => `lb1-replica${String(slot)}`;
const topologyFor = ({ mode, num, durability }: Omit<Extract<Op, { op: 'edit' }>, 'op'>) =>
  topologyOf(`
cluster_name: shop
replication: { mode: ${mode}, sync_replicas: ${String(num)}, durability: ${durability} }
failover: { mode: manual }
balancers: [{ name: lb1, replicas: 3 }]
`);
const base = convergedSnapshot(topologyFor({ mode: 'quorum', num: 1, durability: 'required' }));

/** A leader with replicas that come and go, whom pgherd tells whom to wait for, by as many steps of its plans as it likes. */
class World {
  readonly replicas = new Map<number, Replica>(slots.map((slot) => [slot, { how: 'streams', has: 0, streamedAt: 0 }]));
  file: Omit<Extract<Op, { op: 'edit' }>, 'op'> = { mode: 'quorum', num: 1, durability: 'required' };
  now = 0;
  lsn = 0;
  acknowledged = 0;
  sync: SyncList | undefined;
  inForce: Commits = 'local';
  #version = 3;
  #loaded: string | undefined;
  #plan: Step[] = [];

  do(op: Op): void {
    if (op.op === 'look') this.#plan = this.look().steps.filter(isOfLeader);
    else if (op.op === 'step') this.step();
    else if (op.op === 'write') this.lsn += 1;
    else if (op.op === 'wait') this.now += 3500;
    else if (op.op === 'edit') this.file = op;
    else if (op.op === 'replicate') this.#replicate(op.slot);
    else if ('how' in op) this.#become(op.slot, op.how);
    this.#acknowledge();
  }

  #replicate(slot: number): void {
    const replica = this.replicas.get(slot);
    if (replica?.how === 'streams') replica.has = this.lsn;
  }

  #become(slot: number, how: How): void {
    const replica = this.replicas.get(slot);
    if (replica === undefined) return;
    replica.how = how;
    if (how === 'cloning') replica.has = 0;
  }

  #acknowledge(): void {
    for (const each of this.replicas.values()) if (each.how === 'streams') each.streamedAt = this.now;
    if (this.inForce === 'local') this.acknowledged = this.lsn;
    else {
      const { num, names } = this.inForce;
      const had = [...this.replicas].filter(([slot]) => names.includes(nameOf(slot))).map(([, { has }]) => has);
      this.acknowledged = Math.max(this.acknowledged, had.sort((a, b) => b - a)[num - 1] ?? 0);
    }
  }

  step(): void {
    const next = this.#plan.shift();
    if (next === undefined) return;
    const { action, id } = next;
    if (action.do === 'reload') {
      const config = this.#written.get(action.revision) ?? this.inForce;
      this.inForce = config;
      this.#loaded = action.revision;
    } else if (action.do === 'write-record' && id.endsWith('write-quorum')) {
      this.sync = action.known.sync;
      this.#version += 1;
    } else if (action.do === 'await-caught-up') {
      for (const slot of slots) if (action.names.includes(nameOf(slot))) this.#replicate(slot);
      const has = slots.filter(
        (slot) => action.names.includes(nameOf(slot)) && this.replicas.get(slot)?.has === this.lsn,
      );
      // It waits in vain, or others are waited for than it was told: what comes after is not done.
      if (has.length < action.num || standbyNames(action.meanwhile) !== standbyNames(this.inForce)) this.#plan = [];
    }
  }

  /** By the name of the revision that has them loaded. */
  readonly #written = new Map<string, Commits>();

  look(): Plan {
    const plan = planCluster(topologyFor(this.file), this.#snapshot(), {});
    const configs = plan.steps.flatMap(({ action }) => (action.do === 'write-config' ? [action.role] : []));
    for (const [index, { action }] of plan.steps.filter(isOfLeader).filter(isReload).entries()) {
      const role = configs.filter(({ is }) => is === 'lead')[index];
      if (action.do === 'reload' && role?.is === 'lead') this.#written.set(action.revision, role.commits ?? 'local');
    }
    return plan;
  }

  #snapshot(): Snapshot {
    const record: RecordName = {
      epoch: 1,
      version: this.#version,
      leader: 0,
      members: [0, 1, 2, 3],
      sync: this.sync,
    };
    let snapshot: Snapshot = { ...base, nodes: base.nodes.map((node) => withFacts(node, { record })) };
    const loaded = this.#loaded;
    if (loaded !== undefined) {
      const facts = { config: loaded, started: loaded, loaded };
      snapshot = changeNode(snapshot, 'lb1', 0, (node) => withFacts(node, facts));
    }
    const said: Heard = {
      recovery: true,
      timeline: 1,
      lsn: this.lsn,
      receiver: null,
      slots: {},
      oldest: null,
      at: this.now,
      isStill: false,
    };
    const reports = new Map<string, Heard>();
    const silent = new Set<string>();
    for (const [slot, { how }] of this.replicas) {
      const id = `id-shop-${nameOf(slot)}`;
      if (how === 'down')
        snapshot = changeNode(snapshot, 'lb1', slot, (node) => withContainer(node, { state: 'exited' }));
      if (how === 'cloning')
        snapshot = changeNode(snapshot, 'lb1', slot, (node) => withFacts(node, { state: { is: 'cloning' } }));
      if (how === 'silent') silent.add(id);
      if (how === 'streams' || how === 'waits') reports.set(id, { ...said, receiver: how === 'streams' ? how : null });
      if (how === 'streams') reports.set(id, { ...said, receiver: 'streaming' });
    }
    const streaming = [...this.replicas].filter(([, { how }]) => how === 'streams');
    reports.set('id-shop-lb1-primary', {
      ...said,
      recovery: false,
      slots: { pgherd_1: 'reserved', pgherd_2: 'reserved', pgherd_3: 'reserved' },
      senders: Object.fromEntries(streaming.map(([slot, { has }]) => [nameOf(slot), { state: 'streaming', lsn: has }])),
      waitsFor: standbyNames(this.inForce),
      streamed: {
        since: 0,
        at: new Map([...this.replicas].map(([slot, { streamedAt }]) => [nameOf(slot), streamedAt])),
      },
    });
    return { ...snapshot, reports, silent, heardUntil: this.now };
  }

  /** Whether whoever is promoted by the record has all that was acknowledged: R + W > N. */
  isKept(): boolean {
    const { num, listed } = this.sync ?? { num: 0, listed: [] };
    if (listed.length === 0 || this.file.mode === 'async') return true;
    const having = listed.filter((slot) => (this.replicas.get(slot)?.has ?? 0) >= this.acknowledged);
    return having.length >= num;
  }
}

function isOfLeader({ resource }: Step): boolean {
  return resource === 'node/lb1-primary' || resource === 'group/lb1';
}

function isReload({ action }: Step): boolean {
  return action.do === 'reload';
}

const how = fc.constantFrom<How>('streams', 'streams', 'waits', 'down', 'cloning', 'silent');
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constantFrom<'look'>('look') }) },
  { weight: 8, arbitrary: fc.record({ op: fc.constantFrom<'step'>('step') }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constantFrom<'write' | 'wait'>('write', 'write', 'wait') }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('replicate' as const), slot: fc.constantFrom(...slots) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('become' as const), slot: fc.constantFrom(...slots), how }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('edit' as const),
      mode: fc.constantFrom('quorum' as const, 'quorum' as const, 'async' as const),
      num: fc.integer({ min: 1, max: 2 }),
      durability: fc.constantFrom('required', 'preferred'),
    }),
  },
);

describe('whatever replicas do, and however much of its plans is done', () => {
  it('any num of the recorded list have what was acknowledged', () => {
    fc.assert(
      fc.property(fc.array(op, { maxLength: 60, size: 'max' }), (ops) => {
        const world = new World();
        for (const each of ops) {
          world.do(each);
          // One that is cloned again has nothing any more: what it held is lost by that, not by the list.
          if (each.op === 'become' && each.how === 'cloning') return;
          expect(world.isKept(), JSON.stringify([world.sync, world.inForce, world.acknowledged])).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('where the file prefers to go on, commits do once they have been held for a moment', () => {
    fc.assert(
      fc.property(
        fc.array(op, { maxLength: 40, size: 'max' }),
        fc.array(how, { minLength: 3, maxLength: 3 }),
        (ops, last) => {
          const world = new World();
          for (const each of ops) world.do(each);
          world.do({ op: 'edit', mode: 'quorum', num: 1, durability: 'preferred' });
          for (const [index, each] of last.entries()) world.do({ op: 'become', slot: index + 1, how: each });
          world.do({ op: 'wait' });
          for (let round = 0; round < 5; round += 1) {
            world.do({ op: 'look' });
            for (let each = 0; each < 12; each += 1) world.do({ op: 'step' });
          }
          world.do({ op: 'write' });
          for (const slot of slots) world.do({ op: 'replicate', slot });
          expect(world.acknowledged, JSON.stringify([world.sync, world.inForce])).toBe(world.lsn);
          expect(world.inForce === 'local').toBe(!last.includes('streams'));
          expect(world.sync?.listed).toEqual(
            last.includes('streams') ? slots.filter((slot) => last[slot - 1] === 'streams') : [],
          );
        },
      ),
      { numRuns: 20 },
    );
  });
});
