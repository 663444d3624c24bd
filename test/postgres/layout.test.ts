import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  factLinks,
  finalPosition,
  formatRecordName,
  formatSecretsName,
  layoutOf,
  readFacts,
} from '../../src/postgres/layout.ts';

const none = {
  state: undefined,
  config: undefined,
  started: undefined,
  loaded: undefined,
  detached: undefined,
  serves: undefined,
  record: undefined,
  secrets: undefined,
};
const home = '/var/lib/postgresql/data/pgherd';

describe('a volume is mounted', () => {
  it.each([
    [['/var/lib/postgresql/data'], '/var/lib/postgresql/data'],
    [['/backup', '/var/lib/postgresql'], '/var/lib/postgresql'],
    [[], '/var/lib/postgresql/data'],
  ])('for an image that declares %j at %s', (volumes, mount) => {
    expect(layoutOf(volumes)).toEqual({ mount, home: `${mount}/pgherd`, data: `${mount}/pgdata` });
  });
});

describe('what a volume says of itself', () => {
  it('is nothing while it is empty', () => {
    expect(readFacts(none)).toEqual({
      ...none,
      state: { is: 'empty' },
      detached: undefined,
      fencedFor: undefined,
      fencedAt: undefined,
    });
    expect(Object.keys(none)).toEqual([...factLinks]);
  });

  it('is read from where its links lead', () => {
    const links = {
      state: `${home}/data.7000000000000000001`,
      config: `${home}/rev.a.b`,
      started: `${home}/rev.a.c`,
      loaded: 'rev.a.b',
      detached: undefined,
      serves: 'lead',
      record: `${home}/record.12.0.0-1-3.json`,
      secrets: `${home}/secrets.2.generated`,
    };
    expect(readFacts(links)).toEqual({
      state: { is: 'data', systemIdentifier: '7000000000000000001' },
      config: 'rev.a.b',
      started: 'rev.a.c',
      loaded: 'rev.a.b',
      detached: undefined,
      serves: 'lead',
      fencedFor: undefined,
      fencedAt: undefined,
      record: { version: 12, leader: 0, members: [0, 1, 3], paused: false },
      secrets: { version: 2, fingerprint: 'generated' },
    });
  });

  it('tells how far a server came that follows nobody', () => {
    const read = (detached: string): unknown => readFacts({ ...none, detached }).detached;
    expect(read('2.50332000.shut')).toEqual({ timeline: 2, lsn: 50_332_000, shut: true });
    expect(read('2.50332000.open')).toEqual({ timeline: 2, lsn: 50_332_000, shut: false });
    expect(read('2.50332000.replaying')).toEqual({ received: { timeline: 2, lsn: 50_332_000 } });
  });

  it.each(['pending', 'pending.17', '2.50332000', ''])('is not sure how far it came where it says %j', (detached) => {
    expect(readFacts({ ...none, detached }).detached).toBe('pending');
    expect(finalPosition('pending')).toBeUndefined();
  });

  it.each(['bootstrapping', 'cloning', 'half', 'rewinding', 'diverged'] as const)('may be %s', (state) => {
    expect(readFacts({ ...none, state }).state).toEqual({ is: state });
  });

  it.each(['data.', 'data.x', 'DATA.1', 'new', ''])(
    'of the unknown state %j is never taken for an empty one',
    (state) => {
      expect(readFacts({ ...none, state }).state).toEqual({ is: 'half' });
    },
  );

  it.each(['record.1.0.json', 'record.x.0.0.json', 'other'])(
    'of the unknown record %j is as if there were none',
    (record) => {
      expect(readFacts({ ...none, record }).record).toBeUndefined();
    },
  );
});

it('the names of records and secrets read back as they were', () => {
  const sorted = (minLength: number) =>
    fc.uniqueArray(fc.nat(20), { minLength }).map((list) => list.toSorted((a, b) => a - b));
  const sync = fc.option(fc.record({ num: fc.nat(9), listed: sorted(0) }), { nil: undefined });
  const kind = fc.constantFrom('switchover', 'failover', 'failover-lossy' as const);
  const maybe = (value: fc.Arbitrary<number>): fc.Arbitrary<number | undefined> => fc.option(value, { nil: undefined });
  const handover = fc.option(fc.record({ kind, to: maybe(fc.nat(20)), until: maybe(fc.nat()) }), { nil: undefined });
  fc.assert(
    fc.property(
      fc.nat(),
      fc.nat(20),
      sorted(1),
      sync,
      handover,
      fc.boolean(),
      fc.stringMatching(/^[0-9a-z]+$/),
      (version, leader, members, list, asked, paused, fingerprint) => {
        const name = { version, leader, members, sync: list, handover: asked, paused };
        const record = formatRecordName(name);
        const secrets = formatSecretsName({ version, fingerprint });
        expect(readFacts({ ...none, record, secrets })).toMatchObject({
          record: JSON.parse(JSON.stringify(name)) as object,
          secrets: { version, fingerprint },
        });
      },
    ),
  );
});
