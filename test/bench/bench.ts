import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { connectEngine } from '../../src/docker/dockerode.ts';
import { parseTopology } from '../../src/topology/load.ts';
import { docker, engineHost, newRun, ROOT } from '../e2e/support/engine.ts';
import { newCluster, type TestCluster } from '../e2e/support/cluster.ts';
import { benchRepair, benchRest } from './bench-daemon.ts';
import { benchFailover, benchHindered, benchSwitchover } from './bench-leader.ts';
import { benchReaders } from './bench-readers.ts';
import { benchStartup } from './bench-startup.ts';
import { median, report } from './figures.ts';
import { bringUpFloor } from './floor.ts';

/**
 * `npm run bench`: figures with their references, measured in one run on one machine, the two taking turns.
 *   1. bring-up of a primary, two replicas and a balancer from nothing, against the floor;
 *   2. a `plan` with nothing to do, whole process, against `docker compose up -d` with nothing to do;
 *   3. the daemon: from a fault to its repair, and what it costs at rest;
 *   4. writes through the balancer after a kill of the primary, against the floor, the same while a replica hangs or all
 *      have reports, and around a switchover; new sessions without one of the readers;
 *   5. start-up of commands that ask no engine, against bare Node.
 * BENCH_ONLY=startup,bring-up,no-op,repair,rest,failover,hindered,switchover,readers takes some of them.
 */
const run = promisify(execFile);
const bringUps = Number(process.env['BENCH_BRINGUPS'] ?? 7);
const noOps = Number(process.env['BENCH_NOOPS'] ?? 25);

const host = await engineHost();
const testRun = newRun();
console.log(`engine ${await docker('version', '--format', '{{.Server.Version}}')}, Node ${process.version}\n`);
const parts: Readonly<Record<string, () => Promise<void>>> = {
  startup: benchStartup,
  'bring-up': benchBringUp,
  'no-op': benchNoOp,
  repair: () => benchRepair(testRun),
  rest: () => benchRest(testRun),
  failover: benchFailover,
  hindered: benchHindered,
  switchover: benchSwitchover,
  readers: benchReaders,
};
const wanted = (process.env['BENCH_ONLY'] ?? Object.keys(parts).join(',')).split(',');
for (const part of wanted) await parts[part]?.();

async function benchBringUp(): Promise<void> {
  console.log(`Bring-up of 1 primary, 2 replicas and their balancer, ${String(bringUps)} of each in turn`);
  const floor: number[] = [];
  const pgherd: number[] = [];
  for (let count = 0; count < bringUps; count += 1) {
    floor.push(await timed((cluster) => bringUpByFloor(cluster)));
    pgherd.push(await timed((cluster) => bringUpByPgherd(cluster)));
  }
  report('the same engine calls, no checks (floor)', floor);
  report('pgherd reconcile --once (whole process)', pgherd);
  console.log(`  ratio of the medians: ${(median(pgherd) / median(floor)).toFixed(2)}\n`);
}

async function timed(bringUp: (cluster: TestCluster) => Promise<number>): Promise<number> {
  const cluster = await newCluster(testRun);
  try {
    return await bringUp(cluster);
  } finally {
    await cluster.cleanup();
  }
}

function topologyOf(cluster: TestCluster): Record<string, unknown> {
  return {
    cluster_name: cluster.name,
    network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
    balancers: [{ name: 'lb1', replicas: 2 }],
  };
}

async function bringUpByFloor(cluster: TestCluster): Promise<number> {
  const text = JSON.stringify(topologyOf(cluster));
  const { topology } = parseTopology(text, 'bench.json', {});
  if (topology === undefined) throw new Error('the bench topology is not valid');
  const [name, value] = testRun.label.split('=');
  const started = performance.now();
  const engine = await connectEngine({ host }, { extraLabels: { [name ?? '']: value ?? '' } });
  await bringUpFloor(engine, topology);
  return performance.now() - started;
}

async function bringUpByPgherd(cluster: TestCluster): Promise<number> {
  await cluster.write(topologyOf(cluster));
  const started = performance.now();
  const result = await cluster.pgherd(['reconcile', '--once', cluster.file]);
  const took = performance.now() - started;
  if (result.code !== 0) throw new Error(`pgherd failed: ${result.stdout}\n${result.stderr}`);
  return took;
}

async function benchNoOp(): Promise<void> {
  console.log(`Nothing to do, whole process, ${String(noOps)} of each in turn`);
  const cluster = await newCluster(testRun);
  const project = join(cluster.directory, 'compose.yaml');
  try {
    await bringUpByPgherd(cluster);
    const compose = await findCompose();
    const composeArgs = ['-p', cluster.name, '-f', project];
    if (compose !== undefined) {
      await writeFile(project, composeFile());
      await run(compose, [...composeArgs, 'up', '-d'], { env: { ...process.env, DOCKER_HOST: host } });
    }
    const plans: number[] = [];
    const ups: number[] = [];
    const alone: number[] = [];
    const nodes: number[] = [];
    for (let count = 0; count < noOps; count += 1) {
      nodes.push(await timeCommand(process.execPath, ['-e', '0']));
      plans.push(await timeCommand(process.execPath, [join(ROOT, 'dist/pgherd.js'), 'plan', cluster.file]));
      if (compose === undefined) continue;
      // As people call it, through the docker command; and the plugin's own program, which nobody calls.
      const config = { DOCKER_CONFIG: dirname(dirname(compose)) };
      ups.push(await timeCommand('docker', ['compose', ...composeArgs, 'up', '-d'], config));
      alone.push(await timeCommand(compose, [...composeArgs, 'up', '-d']));
    }
    report('node -e 0', nodes);
    report('pgherd plan, 4 containers', plans);
    if (compose === undefined) {
      console.log('  Docker Compose is not to be had here: no comparison\n');
      return;
    }
    report('docker compose up -d, 4 services', ups);
    console.log(`  ratio of the medians: ${(median(plans) / median(ups)).toFixed(2)}`);
    report('the Compose program without docker in front', alone);
    console.log(`  ratio of the medians: ${(median(plans) / median(alone)).toFixed(2)}\n`);
    await run(compose, [...composeArgs, 'down', '-v', '-t', '0'], {
      env: { ...process.env, DOCKER_HOST: host },
    });
  } finally {
    await cluster.cleanup();
  }
}

/** Four services as an operator would write them, with the images of the cluster. */
function composeFile(): string {
  const service = (image: string): Record<string, unknown> => ({
    image,
    entrypoint: ['sleep', '3600'],
    init: true,
    restart: 'always',
    labels: [testRun.label],
    healthcheck: { test: ['CMD', 'true'], interval: '10s' },
  });
  const services = {
    balancer: service('pgbalancer:latest'),
    primary: { ...service('postgres:17'), tmpfs: ['/var/lib/postgresql/data'] },
    replica1: { ...service('postgres:17'), tmpfs: ['/var/lib/postgresql/data'] },
    replica2: { ...service('postgres:17'), tmpfs: ['/var/lib/postgresql/data'] },
  };
  return JSON.stringify({ services });
}

/** The Compose plugin, which also runs by itself; undefined where it cannot be had. */
async function findCompose(): Promise<string | undefined> {
  try {
    const { stdout } = await run(join(ROOT, 'test/bench/compose.sh'));
    return stdout.trim();
  } catch (error) {
    console.log(`  ${error instanceof Error ? error.message.trim() : String(error)}`);
    return undefined;
  }
}

async function timeCommand(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const started = performance.now();
  await run(command, [...args], { env: { ...process.env, DOCKER_HOST: host, ...env } });
  return performance.now() - started;
}
