import { afterAll, beforeAll, expect, it } from 'vitest';
import { startProxy, type Call, type Injection, type Proxy } from '../bench/proxy.ts';
import { LedHerd, mount, slotOf } from './failover-herd.ts';
import { DaemonProcess } from './support/daemon.ts';
import { docker, engineHost } from './support/engine.ts';
import { psql } from './support/psql.ts';
import { until } from './support/until.ts';

/** A controller dies when it has marked a leader as fenced: whoever comes next goes on from that mark. */
let group: LedHerd;
let proxy: Proxy;

beforeAll(async () => {
  proxy = await startProxy({ upstream: await engineHost() });
  const replication = { mode: 'quorum', sync_replicas: 1, durability: 'preferred' };
  group = await LedHerd.prepare({ replication, failover: { delay: '0s' } });
  await group.bringUp('once');
  await group.untilListed('lb1-primary', '1-2');
  await group.addRow('lb1-primary');
});

afterAll(async () => {
  await proxy.close();
  await group.end();
});

/** A call at which a controller dies, and whether the engine gets it. */
type Moment = {
  readonly is: (call: Call, leader: string) => boolean;
  readonly act: 'kill-before' | 'kill-after';
  /** How many calls it may be, under way at once, of which the engine gets none; one unless given. */
  readonly times?: number;
};

const isDone = (path: string, { index }: Call): boolean =>
  proxy.calls.some((call) => call.index < index && call.path === path && call.status === 200);

/** The mark is in the leader's volume: it is the first that is written there after `restart: no`. */
const marked: Moment = {
  is: (call, leader) => {
    const container = `/containers/${leader}`;
    return call.method === 'PUT' && call.path === `${container}/archive` && isDone(`${container}/update`, call);
  },
  act: 'kill-after',
};

/** The others follow nobody, and the record, which is the next to be written into volumes, names no successor in any. */
const detached: Moment = {
  is: (call, leader) =>
    call.method === 'PUT' &&
    call.query['path'] === mount &&
    proxy.calls.some((each) => each.index < call.index && each.status === 200 && marked.is(each, leader)),
  act: 'kill-before',
  times: Infinity,
};

/** The record names a successor, which is not promoted yet. */
const recorded: Moment = {
  is: ({ path, body }) => path.endsWith('/exec') && JSON.stringify(body ?? '').includes('/promote"'),
  act: 'kill-before',
};

async function strikeAt({ is, act, times }: Moment, leader: string, onHit: () => Promise<void>): Promise<Injection> {
  const id = await group.herd.inspect(leader, '{{.Id}}');
  proxy.reset();
  return proxy.inject({ when: (call) => is(call, id), act, onHit, times: times ?? 1 });
}

/** The leader is killed, and whoever puts another one in its place dies then. */
async function dieAt(moment: Moment, leader: string): Promise<void> {
  await group.kill(leader);
  const strike = await strikeAt(moment, leader, async () => {
    reconcile.child.kill('SIGKILL');
    await reconcile.done;
  });
  const reconcile = await group.spawnPgherd(['reconcile', '--once', '--timeout', '240'], { host: proxy.host });
  const { stdout, stderr } = await reconcile.done;
  expect(strike.hits(), `${stdout}${stderr}`).toBeGreaterThan(0);
  await strike.hit;
}

it('commits go on where a switchover that was cancelled left its mark on a leader that was not stopped', async () => {
  const before = await group.becomeWhole('lb1-primary');
  const link = (name: string): Promise<string> =>
    docker('exec', group.container(before.name), 'readlink', `${mount}/pgherd/${name}`);
  const daemon = await DaemonProcess.start(group.herd.cluster, { host: proxy.host });
  await daemon.become('Ready', 'True');
  const strike = await strikeAt(marked, before.name, async () => {
    // Who requested it cancels it.
    command.child.kill('SIGINT');
    await command.done;
    await daemon.kill();
  });
  const command = await group.spawnPgherd(['switchover', 'lb1', '--timeout', '120']);
  const { stdout, stderr } = await command.done;
  expect(strike.hits(), `${stdout}${stderr}`).toBe(1);
  await strike.hit;
  expect(await link('serves')).toMatch(/^fenced\.asked\.\d+$/);
  expect(await link('handover')).toMatch(/^ended\./);
  expect(await group.leaders()).toEqual([before]);

  await group.break('lb1-replica1');
  await group.break('lb1-replica2');
  const committed = psql(group.container(before.name), 'INSERT INTO kept VALUES (1001)', { timeoutMs: 120_000 });
  committed.catch(() => undefined);
  await until(
    'the commit waits',
    () => group.waiting(before.name),
    (count) => count === '1',
  );
  expect(await group.listed(before.name)).toBe('1-2');
  await group.startDaemon();
  await group.untilListed(before.name, '');
  await committed;
  await until(
    'the mark is gone',
    () => link('serves'),
    (serves) => serves === 'lead',
  );
  expect(await group.leaders()).toEqual([before]);

  await Promise.all([group.mend('lb1-replica1'), group.mend('lb1-replica2')]);
  expect(await group.becomeWhole()).toEqual(before);
  await group.untilListed(before.name, '1-2');
  await group.stopDaemon();
});

it('what a former leader wrote and never acknowledged is taken back: it is rewound, and keeps its volume', async () => {
  const leader = await group.becomeWhole();
  await group.coolDown(leader.name);
  const followers = (await group.followers(leader.name)).split(',');
  for (const name of followers) await group.deafen(name);
  const committed = psql(group.container(leader.name), 'INSERT INTO kept VALUES (1500)', { timeoutMs: 120_000 });
  committed.catch(() => undefined);
  await until(
    'the commit waits',
    () => group.waiting(leader.name),
    (count) => count === '1',
  );
  const volume = await group.volumeOf(leader.name);
  await group.kill(leader.name);
  await expect(committed).rejects.toThrow();
  await group.reconcile();
  const next = await group.becomeWhole();
  expect(followers).toContain(next.name);
  expect(await group.volumeOf(leader.name)).toBe(volume);
  expect(await group.logOf(leader.name)).toMatch(/pgherd start: rewound to /);
  expect(await group.sql(next.name, 'SELECT count(*) FROM kept WHERE n = 1500')).toBe('0');
});

it('two that are to lead one after the other begin timelines of two numbers, and followers go on from one to the other', async () => {
  const leader = await group.becomeWhole();
  await group.coolDown(leader.name);
  const followers = (await group.followers(leader.name)).split(',');
  await dieAt(recorded, leader.name);
  const [, named = ''] = /\/record\.\d+\.\d+\.(\d+)\./.exec(await group.recordOf(followers[0] ?? '')) ?? [];
  const [heir = '', other = ''] = followers.toSorted((a) => (slotOf(a) === named ? -1 : 1));
  const volume = await group.volumeOf(heir);
  await group.run('failover', 'lb1', '--to', other, '--timeout', '120');
  await group.reconcile();
  const after = { name: other, timeline: leader.timeline + 2 };
  expect(await group.becomeWhole()).toEqual(after);

  // It has followed from the timeline before both, by the history of one that nobody began.
  expect(await group.volumeOf(heir)).toBe(volume);
  const history = (leader.timeline + 1).toString(16).toUpperCase().padStart(8, '0');
  const lines = await docker('exec', group.container(heir), 'cat', `${mount}/pgdata/pg_wal/${history}.history`);
  expect(lines).toBe('# the number was given to another node of the group');
  // Nor does it keep a server from starting.
  await docker('restart', '--time', '0', group.container(heir));
  await docker('restart', '--time', '0', group.container(leader.name));
  expect(await group.becomeWhole()).toEqual(after);
  await group.run('switchover', 'lb1', '--to', heir, '--timeout', '120');
  await group.reconcile();
  expect(await group.becomeWhole()).toEqual({ name: heir, timeline: after.timeline + 1 });
});

it.each([
  { n: 2001, moment: detached, of: 'the leader that is replaced', numbers: 1 },
  { n: 2002, moment: recorded, of: 'the one before it', numbers: 2 },
])(
  'a forced failover keeps what was acknowledged by a leader that was fenced already: $of',
  async ({ n, moment, numbers }) => {
    const leader = await group.becomeWhole();
    const [lacking = '', other = ''] = (await group.followers(leader.name)).split(',');
    await group.untilListed(leader.name, [lacking, other].map(slotOf).toSorted().join('-'));
    await group.coolDown(leader.name);
    await group.deafen(lacking);
    await group.sql(leader.name, `INSERT INTO kept VALUES (${String(n)})`);
    const volume = await group.volumeOf(leader.name);
    await dieAt(moment, leader.name);
    expect(await group.inVolume(volume, 'readlink pgherd/serves')).toBe('fenced.ended');
    const position = await docker('exec', group.container(lacking), 'readlink', `${mount}/pgherd/detached`);
    expect(position, 'how far it came, for good').toMatch(/^\d+\.\d+\.(?:open|shut)$/);
    expect(await group.leaders()).toEqual([]);
    await group.removeWithVolume(other);

    await group.run('failover', 'lb1', '--allow-data-loss', '--timeout', '120');
    await group.reconcile();
    expect(await group.becomeWhole()).toEqual({ name: lacking, timeline: leader.timeline + numbers });
    const rows = `SELECT count(*) FROM kept WHERE n = ${String(n)}`;
    expect(await group.sql(lacking, rows), 'what was at stake').toBe('0');
    expect(await group.volumeOf(leader.name)).not.toBe(volume);
    expect(await group.herd.cluster.volumes()).toContain(volume);
    expect(await group.inVolume(volume, 'readlink pgherd/state')).toBe('diverged');
    const kept = await group.inVolume(volume, `echo '${rows}' | postgres --single -D ${mount}/pgdata postgres`);
    expect(kept).toContain('count = "1"');
  },
);
