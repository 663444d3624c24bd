import { afterAll, beforeAll, expect, it } from 'vitest';
import { LedHerd, slotOf } from './failover-herd.ts';
import { dockerResult } from './support/engine.ts';
import { until } from './support/until.ts';

const names = ['lb1-primary', 'lb1-replica1', 'lb1-replica2'];

let group: LedHerd;

beforeAll(async () => {
  group = await LedHerd.prepare({ failover: { delay: '0s' } });
  await group.bringUp('daemon');
  await group.addRow('lb1-primary');
});

afterAll(async () => {
  await group.end();
});

/** Those that answer. */
async function up(): Promise<readonly string[]> {
  const asked = await Promise.all(
    names.map((name) => dockerResult(['exec', group.container(name), 'pg_isready', '-q', '-h', '127.0.0.1'])),
  );
  return names.filter((_, index) => asked[index]?.code === 0);
}

async function untilAllAreUp(): Promise<void> {
  await until(
    'all are up',
    () => up(),
    (found) => found.length === names.length,
  );
}

/** Those of the others, as the record lists them. */
function slotsBeside(leader: string): string {
  const others = names.filter((name) => name !== leader);
  return others.map(slotOf).join('-');
}

/** Waits until all that are up follow this leader: a change that waits keeps nobody from that. */
async function untilFollowed(leader: string): Promise<void> {
  const others = (await up()).filter((name) => name !== leader).join(',');
  await until(
    `${others} follows ${leader}`,
    () => group.followers(leader),
    (found) => found === others,
  );
}

/** Mends the file; who leads is restarted for that where it is, however slow the machine. */
async function mend(leader: string, postgres: Readonly<Record<string, unknown>>): Promise<void> {
  const wait = (delay: string): Promise<void> => group.herd.edit((file) => ({ ...file, failover: { delay } }));
  await wait('60s');
  await group.herd.editBalancer({ postgres });
  await group.becomeWhole(leader);
  await wait('0s');
}

it('a parameter that no server starts with takes one server away, and the others serve on', async () => {
  const library = 'there_is_no_such_library';
  await group.herd.editBalancer({ postgres: { parameters: { shared_preload_libraries: library } } });
  const next = await group.awaitLeader('another one leads', ({ name }) => name !== 'lb1-primary');
  await group.daemon.becomeStalledBy(library);
  await group.daemon.becomeStalledBy('for a change of the file waits for lb1-primary');
  await group.addRow(next.name);
  expect(await up()).toEqual(names.slice(1));
  await untilFollowed(next.name);
  expect(await group.daemon.condition('LeaderAvailable')).toMatchObject({ status: 'True' });

  await mend(next.name, { parameters: { shared_buffers: '64MB' } });
  for (const name of names) expect(await group.sql(name, 'SHOW shared_buffers')).toBe('64MB');
});

it('a parameter that no server knows is refused by those that run, before anybody is restarted for it', async () => {
  const before = await group.becomeWhole();
  await group.herd.editBalancer({ postgres: { parameters: { work_memory: '8MB', shared_buffers: '96MB' } } });
  await group.daemon.becomeStalledBy('its server refuses the configuration: unrecognized');
  expect(await up()).toEqual(names);
  expect(await group.leaders()).toEqual([before]);
  await group.herd.editBalancer({ postgres: { parameters: { work_mem: '8MB', shared_buffers: '64MB' } } });
  await group.becomeWhole(before.name);
  for (const name of names) expect(await group.sql(name, 'SHOW work_mem')).toBe('8MB');
});

it('while it is refused another one leads, all follow, commits go on, and who was killed comes back', async () => {
  await group.herd.edit((file) => ({ ...file, replication: { mode: 'quorum', sync_replicas: 1 } }));
  const before = await group.becomeWhole();
  await group.untilListed(before.name, slotsBeside(before.name));
  await group.coolDown(before.name);
  const parameters = { work_memory: '8MB', log_min_messages: 'loud', shared_buffers: '96MB' };
  await group.herd.editBalancer({ postgres: { parameters } });
  const refused = 'its server refuses the configuration: unrecognized configuration parameter "work_memory"';
  await until(
    'all refuse it',
    () => group.blocked(),
    (found) => found.length === names.length && found.every((each) => each.endsWith('settings-refused')),
  );
  const { next } = await group.failOver(before);
  await group.addRow(next.name);
  await untilAllAreUp();
  await untilFollowed(next.name);
  await group.addRow(next.name);
  // A new clone has no settings of before.
  await group.removeWithVolume(before.name);
  await untilAllAreUp();
  await untilFollowed(next.name);
  await group.untilListed(next.name, slotsBeside(next.name));
  const { code, stderr } = await group.pgherd(['reconcile', '--once', '--timeout', '60']);
  expect(code, stderr).toBe(3);
  expect(stderr).toContain(refused);
  await group.herd.edit((file) => ({ ...file, replication: { mode: 'async' } }));
  await mend(next.name, { parameters: { shared_buffers: '96MB' } });
  for (const name of names) expect(await group.sql(name, 'SHOW shared_buffers')).toBe('96MB');
});

it('an image that cannot be pulled keeps nobody from taking over', async () => {
  const before = await group.becomeWhole();
  await group.coolDown(before.name);
  await group.herd.editBalancer({ postgres: { image: 'postgres:17.99' } });
  await group.daemon.becomeStalledBy('postgres:17.99');
  const { next } = await group.failOver(before);
  await group.addRow(next.name);

  await mend(next.name, {});
});

it('reconcile --once ends with such a parameter, has another one lead, and says what waits for what', async () => {
  const before = await group.becomeWhole();
  await group.stopDaemon();
  await group.herd.editBalancer({ postgres: { parameters: { shared_preload_libraries: 'there_is_no_such_library' } } });
  const { code, stderr } = await group.pgherd(['reconcile', '--once', '--timeout', '300']);
  expect(code, stderr).toBe(3);
  expect(stderr).toContain(`waits for ${before.name}, which does not come up [change-waits]`);
  expect(stderr).toContain(`node/${before.name}: error: it ended soon after each of 4 starts`);
  expect(stderr).toContain('there_is_no_such_library');
  const next = await group.awaitSuccessor(before);
  await group.addRow(next.name);
  await untilFollowed(next.name);

  await group.herd.editBalancer({ postgres: {} });
  await group.reconcile();
  await group.becomeWhole(next.name);
});
