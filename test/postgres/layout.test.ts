import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  factLinks,
  finalPosition,
  formatHandover,
  formatPause,
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
  refused: undefined,
  detached: undefined,
  serves: undefined,
  record: undefined,
  secrets: undefined,
  handover: undefined,
  pause: undefined,
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
      refused: 'invalid value for parameter "ssl_key_file": "%2Fa%25b"',
      detached: undefined,
      serves: 'lead',
      record: `${home}/records/record.7.12.0.0-1-3.json`,
      secrets: `${home}/secrets.2.generated`,
      handover: 'switchover.to-1.of-0-2-5000.until-9.at-8',
      pause: 'on.10.ann@db',
    };
    expect(readFacts(links)).toEqual({
      state: { is: 'data', systemIdentifier: '7000000000000000001' },
      config: 'rev.a.b',
      started: 'rev.a.c',
      loaded: 'rev.a.b',
      refused: 'invalid value for parameter "ssl_key_file": "/a%b"',
      detached: undefined,
      serves: 'lead',
      fencedFor: undefined,
      fencedAt: undefined,
      record: { epoch: 7, version: 12, leader: 0, members: [0, 1, 3] },
      secrets: { version: 2, fingerprint: 'generated' },
      handover: {
        is: 'requested',
        kind: 'switchover',
        to: 1,
        of: { leader: 0, fork: { timeline: 2, lsn: 5000 } },
        until: 9,
        at: 8,
      },
      pause: { isPaused: true, at: 10, by: 'ann@db' },
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
      expect(readFacts({ ...none, state }).state).toEqual({ is: 'unknown' });
    },
  );

  it.each(['record.1.0.json', 'record.1.x.0.0.json', 'record.1.2.0-1.json', 'other'])(
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
  fc.assert(
    fc.property(
      fc.nat(),
      fc.nat(20),
      sorted(1),
      sync,
      fc.nat(),
      fc.stringMatching(/^[0-9a-z]+$/),
      (version, leader, members, list, epoch, fingerprint) => {
        const name = { epoch, version, leader, members, sync: list };
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

describe('a request', () => {
  const time = fc.nat();
  const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
  const plain = (value: unknown): object => JSON.parse(JSON.stringify(value)) as object;

  it('of another leader reads back as it was', () => {
    const reign = fc.record({ leader: fc.nat(20), fork: maybe(fc.record({ timeline: time, lsn: time })) });
    const kind = fc.constantFrom('switchover', 'failover', 'failover-lossy' as const);
    const requested = fc.record({
      is: fc.constant('requested' as const),
      kind,
      to: maybe(fc.nat(20)),
      of: reign,
      until: time,
      at: time,
    });
    const ended = fc.record({ is: fc.constant('ended' as const), at: time });
    fc.assert(
      fc.property(fc.oneof(requested, ended), (request) => {
        expect(plain(readFacts({ ...none, handover: formatHandover(request) }).handover)).toEqual(plain(request));
      }),
    );
  });

  it('for a pause reads back as it was', () => {
    const by = fc.stringMatching(/^[a-z0-9@.-]+$/);
    fc.assert(
      fc.property(time, by, (at, who) => {
        const paused = { isPaused: true, at, by: who };
        expect(readFacts({ ...none, pause: formatPause(paused) }).pause).toEqual(paused);
        expect(readFacts({ ...none, pause: formatPause({ ...paused, isPaused: false }) }).pause).toEqual({
          isPaused: false,
          at,
          by: undefined,
        });
      }),
    );
  });

  it.each(['switchover', 'switchover.of-0.until-x.at-1', 'ended', 'on', 'off.', 'other'])(
    'of the unknown form %j is as if there were none',
    (name) => {
      expect(readFacts({ ...none, handover: name, pause: name })).toMatchObject({
        handover: undefined,
        pause: undefined,
      });
    },
  );
});
