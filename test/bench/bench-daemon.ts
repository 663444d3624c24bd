import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { newCluster, type TestCluster } from '../e2e/support/cluster.ts';
import { DaemonProcess } from '../e2e/support/daemon.ts';
import { docker, sweep, type TestRun } from '../e2e/support/engine.ts';
import { findPostmaster } from '../e2e/support/postmaster.ts';
import { until } from '../e2e/support/until.ts';
import { report } from './figures.ts';

const repairs = Number(process.env['BENCH_REPAIRS'] ?? 15);
const clusters = Number(process.env['BENCH_CLUSTERS'] ?? 20);
const restSeconds = Number(process.env['BENCH_REST'] ?? 60);

/** `starts`: the container must be started for its repair. */
const faults: readonly {
  readonly what: string;
  readonly starts: boolean;
  readonly harm: (replica: string, network: string) => Promise<unknown>;
}[] = [
  { what: 'process killed, restarted by the engine', starts: true, harm: killProcess },
  { what: 'docker kill', starts: true, harm: (replica) => docker('kill', replica) },
  { what: 'docker stop', starts: true, harm: (replica) => docker('stop', '--time', '10', replica) },
  { what: 'docker rm -f', starts: true, harm: (replica) => docker('rm', '--force', replica) },
  {
    what: 'docker network disconnect',
    starts: false,
    harm: (replica, network) => docker('network', 'disconnect', network, replica),
  },
  {
    what: 'docker update --memory',
    starts: false,
    harm: (replica) => docker('update', '--memory', '900m', '--memory-swap', '1800m', replica),
  },
];

/** How soon a daemon mends what is broken: from the fault to a container that runs, and to 'as the file says'. */
export async function benchRepair(run: TestRun): Promise<void> {
  console.log(`From a fault of a replica to its repair by the daemon, ${String(repairs)} of each`);
  const cluster = await newCluster(run);
  try {
    await cluster.write({
      cluster_name: cluster.name,
      network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
      postgres: { memory: '1GB' },
      balancers: [{ name: 'lb1', replicas: 2 }],
    });
    const daemon = await DaemonProcess.start(cluster);
    await daemon.become('Ready', 'True');
    const figures = faults.map(({ what, starts }) => ({
      what,
      starts,
      running: [] as number[],
      mended: [] as number[],
    }));
    for (let count = 0; count < repairs; count += 1) {
      // In turn, so that each is well for long enough between its starts: what ends soon after each is slowed down.
      const replica = `${cluster.name}-lb1-replica${String(1 + (count % 2))}`;
      for (const [index, { harm }] of faults.entries()) {
        const { ranAt, mendedAt, brokenAt } = await mend(cluster, daemon, replica, () => harm(replica, cluster.name));
        figures[index]?.running.push(ranAt - brokenAt);
        figures[index]?.mended.push(mendedAt - brokenAt);
      }
    }
    for (const { what, starts, running, mended } of figures) {
      if (starts) report(`${what}: runs again`, running);
      report(`${what}: as the file says`, mended);
    }
    await daemon.stop();
    console.log('');
  } finally {
    await cluster.cleanup();
  }
}

/** Times in epoch milliseconds; a fault counts from when its command has returned, but for a stop that may take long. */
async function mend(
  cluster: TestCluster,
  daemon: DaemonProcess,
  replica: string,
  harm: () => Promise<unknown>,
): Promise<{ brokenAt: number; ranAt: number; mendedAt: number }> {
  const before = daemon.log().length;
  await harm();
  const brokenAt = Date.now();
  const news = () => daemon.log().slice(before);
  await until('it has noticed', news, (lines) => lines.length > 0);
  await until(
    'nothing is left to do',
    () => cluster.pgherd(['plan', '--detailed-exitcode', cluster.file]),
    ({ code }) => code === 0,
  ).catch((error: unknown) => {
    console.log(JSON.stringify(news(), undefined, 1));
    throw error;
  });
  await daemon.become('Reconciling', 'False');
  await daemon.become('Ready', 'True');
  const mendedAt = Math.max(...news().map(({ time }) => Date.parse(time)));
  const ranAt = Date.parse(await docker('inspect', '--format', '{{.State.StartedAt}}', replica));
  return { brokenAt, ranAt, mendedAt };
}

async function killProcess(replica: string): Promise<void> {
  process.kill((await findPostmaster(replica)).pid, 'SIGKILL');
}

/** What a daemon costs that keeps clusters in which nothing happens. */
export async function benchRest(run: TestRun): Promise<void> {
  console.log(
    `At rest with ${String(clusters)} clusters of a primary, two replicas and a balancer, ${String(restSeconds)} s`,
  );
  const first = await newCluster(run);
  try {
    const folder = join(first.directory, 'topologies');
    await mkdir(folder);
    const names = Array.from({ length: clusters }, (_, index) => `${first.name}n${String(index)}`);
    for (const name of names) {
      await first.write(
        {
          cluster_name: name,
          postgres: { parameters: { max_connections: 30, shared_buffers: '16MB' } },
          balancers: [{ name: 'lb1', replicas: 2, config: { num_init_children: 1, max_pool: 1 } }],
        },
        join(folder, `${name}.json`),
      );
    }
    const daemon = await DaemonProcess.start(first, { paths: [folder] });
    const start = performance.now();
    for (const name of names) {
      await until(
        `${name} is ready`,
        () => daemon.condition('Ready', name),
        (condition) => condition?.status === 'True',
        600_000,
      );
    }
    console.log(`  all ready after ${((performance.now() - start) / 1000).toFixed(1)} s`);
    const pid = daemon.running.child.pid ?? 0;
    await delay(20_000);
    const before = await usageOf(pid);
    await delay(restSeconds * 1000);
    const after = await usageOf(pid);
    const percent = ((after.cpuSeconds - before.cpuSeconds) / restSeconds) * 100;
    console.log(
      `  CPU ${percent.toFixed(2)} % of one, memory ${after.mebibytes.toFixed(0)} MiB (RSS), lines logged since: ${String(daemon.log().length)}`,
    );
    await daemon.stop();
    console.log('');
  } finally {
    await sweep(run.label);
    await first.cleanup();
  }
}

/** Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html; 100 ticks a second. */
async function usageOf(pid: number): Promise<{ readonly cpuSeconds: number; readonly mebibytes: number }> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  const kibibytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
  return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100, mebibytes: kibibytes / 1024 };
}
