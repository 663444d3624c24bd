import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planConnections, type BudgetInput } from '../../src/topology/budget.ts';

const open: BudgetInput = { children: undefined, pool: undefined, replicas: 2, maxConnections: undefined, reserved: 3 };

describe('with nothing given', () => {
  it('32 × 4 to each of two readers on one node, 10 for replication to 8 replicas and 8 reserved are 274, rounded up', () => {
    expect(planConnections(open)).toMatchObject({ children: 32, pool: 4, needed: 268, maxConnections: 280 });
  });
  it('without replicas the leader is connected to once, and there is room for two readers all the same', () => {
    expect(planConnections({ ...open, replicas: 0 })).toMatchObject({ needed: 138, maxConnections: 280 });
  });
  it('no reader more than stand for one node is counted, however many replicas there are', () => {
    expect(planConnections({ ...open, replicas: 8 }).needed - planConnections(open).needed).toBe(6);
    expect(planConnections({ ...open, replicas: 2 }).needed - planConnections({ ...open, replicas: 1 }).needed).toBe(
      129,
    );
  });
  it(`it is never less than PostgreSQL's own default`, () => {
    expect(planConnections({ ...open, children: 4, pool: 1 })).toMatchObject({ needed: 20, maxConnections: 100 });
  });
});

describe('scaling restarts nobody: with 1 to 8 replicas', () => {
  const chosen = (given: Partial<BudgetInput>) =>
    Array.from({ length: 8 }, (_, index) => {
      const { children, pool, maxConnections } = planConnections({ ...open, ...given, replicas: index + 1 });
      return { children, pool, maxConnections };
    });

  it.each([
    ['nothing given', {}],
    ['max_connections given', { maxConnections: 200 }],
    ['a max_connections that leaves room for few', { maxConnections: 30 }],
    ['the pool given', { children: 100, pool: 2 }],
  ])('%s, everything stays as it is', (_, given) => {
    const [first, ...others] = chosen(given);
    for (const other of others) expect(other).toEqual(first);
  });
});

describe('with max_connections given', () => {
  it('the pool shrinks first, which costs only cached connections', () => {
    expect(planConnections({ ...open, maxConnections: 200 })).toMatchObject({ children: 32, pool: 2, needed: 140 });
  });
  it('then the number of children', () => {
    expect(planConnections({ ...open, maxConnections: 50 })).toMatchObject({ children: 16, pool: 1, needed: 44 });
  });
  it('down to one', () => {
    expect(planConnections({ ...open, maxConnections: 15 })).toMatchObject({ children: 1, pool: 1, needed: 14 });
  });
  it('a pool that is given stays, and the sum says what is missing', () => {
    const budget = planConnections({ ...open, children: 32, pool: 4, maxConnections: 200 });
    expect(budget).toMatchObject({ children: 32, pool: 4, needed: 268, maxConnections: 200 });
    expect(budget.sum).toBe(
      'num_init_children 32 × max_pool 4 × 2 readers on one node + 4 for replication + 8 reserved',
    );
  });
});

describe('for any input', () => {
  const input = fc.record({
    children: fc.option(fc.integer({ min: 1, max: 1000 }), { nil: undefined }),
    pool: fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined }),
    replicas: fc.nat(127),
    maxConnections: fc.option(fc.integer({ min: 1, max: 100_000 }), { nil: undefined }),
    reserved: fc.nat(20),
  });
  it('what is given stays as it is', () => {
    fc.assert(
      fc.property(input, (given) => {
        const budget = planConnections(given);
        expect(budget.children).toBe(given.children ?? budget.children);
        expect(budget.pool).toBe(given.pool ?? budget.pool);
        expect(budget.maxConnections).toBe(given.maxConnections ?? budget.maxConnections);
      }),
    );
  });
  it('the choice fits wherever something is left to choose and anything fits', () => {
    fc.assert(
      fc.property(input, (given) => {
        const least = planConnections({ ...given, children: given.children ?? 1, pool: given.pool ?? 1 }).needed;
        const budget = planConnections(given);
        if (given.maxConnections === undefined || given.maxConnections >= least) {
          expect(budget.needed).toBeLessThanOrEqual(budget.maxConnections);
        }
      }),
    );
  });
});
