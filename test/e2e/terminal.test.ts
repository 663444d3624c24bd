import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { newCluster, type TestCluster } from './support/cluster.ts';
import { dockerLines, engineHost } from './support/engine.ts';
import { gate, openGate } from './support/gate.ts';
import { psql } from './support/psql.ts';
import { PROGRAM, Terminal } from './support/terminal.ts';
import { until } from './support/until.ts';

/** Narrower, lower, wider than the tree is, and as it was. */
const sizes = [
  [45, 30],
  [30, 12],
  [120, 30],
  [100, 30],
] as const;

let cluster: TestCluster;
let terminal: Terminal;
let sane: Awaited<ReturnType<Terminal['sanity']>>;

beforeAll(async () => {
  cluster = await newCluster();
  await writeFile(join(cluster.directory, 'gate.sh'), gate);
  await cluster.write({
    cluster_name: cluster.name,
    network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
    postgres: { init_scripts: ['gate.sh'] },
    balancers: [{ name: 'lb1', replicas: 1 }],
  });
});

afterAll(() => cluster.cleanup());

beforeEach(async () => {
  terminal = await Terminal.open(cluster.directory, {
    DOCKER_HOST: await engineHost(),
    PGHERD_EXTRA_LABELS: cluster.run.label,
    XDG_STATE_HOME: join(cluster.directory, 'state'),
  });
  sane = await terminal.sanity();
});

afterEach(() => terminal.close());

/** The lines of the tree: of clusters and their resources, with what is before their names. */
function treeOf(screen: string): readonly string[] {
  const names = new RegExp(`^(?: {2})?(\\S) (?:${cluster.name} |(?:node|balancer|network|volume|group)/)`);
  // A plan is written above it, with signs of its own.
  return screen.split('\n').filter((line) => !['+', '-', undefined].includes(names.exec(line)?.[1]));
}

/** Whether from the tree's first line on there is nothing but the tree, once, narrower than the terminal. */
function isOneTree(screen: string, columns: number): boolean {
  const [head = ''] = treeOf(screen);
  const lines = screen.split('\n').slice(screen.split('\n').indexOf(head));
  const isPart = (line: string): boolean => treeOf(line).length === 1 || line.startsWith('  … ');
  const heads = lines.filter((line) => !line.startsWith(' '));
  return head !== '' && heads.length === 1 && lines.every((line) => isPart(line) && line.length < columns);
}

const isHalted = (screen: string): boolean => screen.includes('initialising its database');
const hasEnded = (screen: string): boolean => /^exit=\d+$/m.test(screen);

it('is one tree in a terminal that becomes narrower, lower and wider', async () => {
  const pid = await terminal.pgherd('reconcile --once');
  await terminal.shows('the halted bring-up', isHalted);
  for (const [columns, rows] of sizes) {
    await terminal.resize(columns, rows);
    // One frame may be of before, and the next one drawn when only half of it was known.
    for (let frame = 0, head = ''; frame < 4; frame += 1) {
      const what = `one tree in ${String(columns)} columns and ${String(rows)} rows`;
      const screen = await terminal.shows(what, (seen) => isOneTree(seen, columns) && treeOf(seen)[0] !== head);
      head = treeOf(screen)[0] ?? '';
    }
  }
  process.kill(pid, 'SIGKILL');
  await terminal.shows('its end', hasEnded);
});

it('says on Ctrl-C what it waits for, ends at once on the next one, and leaves the terminal as it was', async () => {
  await terminal.pgherd('reconcile --once');
  await terminal.shows('the halted bring-up', isHalted);
  await terminal.press('C-c');
  const stopping = await terminal.shows('that it stops', (screen) => screen.includes('stopping when'));
  expect(stopping).toContain('stopping: what has begun is finished, nothing new is started (again to stop at once)');
  expect(treeOf(stopping)[0]).toMatch(/stopping when 1 step under way has ended$/);
  await terminal.press('C-c');
  expect(await terminal.shows('its end', hasEnded)).toMatch(/^exit=130$/m);
  expect(await terminal.sanity()).toEqual(sane);
});

it('leaves a terminal that is of use when it is killed', async () => {
  const pid = await terminal.pgherd('reconcile --once');
  await terminal.shows('the halted bring-up', isHalted);
  process.kill(pid, 'SIGKILL');
  expect(await terminal.shows('its end', hasEnded)).toMatch(/^exit=137$/m);
  expect(await terminal.sanity()).toEqual(sane);
});

it('ends in order where its terminal is closed', async () => {
  const code = join(cluster.directory, 'code');
  await terminal.type(`(trap '' HUP; ${PROGRAM} reconcile --once; echo $? >${code})`);
  await terminal.shows('the halted bring-up', isHalted);
  await terminal.close();
  await openGate(`${cluster.name}-lb1-primary`);
  await until(
    'pgherd has ended in order',
    () => readFile(code, 'utf8'),
    (text) => text === '129\n',
  );
  expect(await dockerLines('ps', '--quiet', '--filter', `name=pgherd-lock-${cluster.name}`)).toEqual([]);
  await cluster.untilUnlocked();
});

it('goes on from there, and leaves what was done, above the result', async () => {
  await terminal.pgherd('reconcile --once');
  const screen = await terminal.shows('its end', hasEnded);
  expect(screen).toMatch(/^exit=0$/m);
  expect(treeOf(screen)).toContainEqual(expect.stringMatching(/^ {2}✔ node\/lb1-replica1 /));
  expect(screen.indexOf(`${cluster.name}: converged`)).toBeGreaterThan(screen.indexOf('✔ node/lb1-replica1'));
  expect(await terminal.sanity()).toEqual(sane);
  expect(await psql(`${cluster.name}-lb1-primary`, 'SELECT state FROM pg_stat_replication')).toBe('streaming');
});

it('stays below what else is told, and leaves nothing of itself among it', async () => {
  await terminal.pgherd('destroy --volumes --yes -v');
  await terminal.shows('its end', hasEnded);
  const lines = (await terminal.history()).split('\n');
  const isCall = (line: string): boolean => line.startsWith('engine: ');
  const tree = treeOf(lines.join('\n'));
  expect(lines.filter(isCall).length).toBeGreaterThan(20);
  expect(tree[0]).toMatch(new RegExp(`^✔ ${cluster.name} .* done$`));
  for (const line of tree.slice(1)) expect(line).toMatch(/^ {2}✔ \S+ .* removed$/);
  expect(lines.indexOf(tree[0] ?? '')).toBeGreaterThan(lines.findLastIndex(isCall));
  expect(await terminal.sanity()).toEqual(sane);
});
