import { findLeaders, type TestNode } from '../chaos/nodes.ts';
import type { PgherdOptions, Result, Running } from './support/cluster.ts';
import { DaemonProcess } from './support/daemon.ts';
import { Herd, type File } from './support/edits.ts';
import { docker, dockerResult } from './support/engine.ts';
import { psql } from './support/psql.ts';
import { until } from './support/until.ts';

/** Milliseconds for what takes a few seconds where nothing else runs. */
const limit = 120_000;

/** Milliseconds after a change of leaders in which one that has ended is started where it was. */
const coolDown = 10_000;

/** Where the image of PostgreSQL 17 has its volume. */
export const mount = '/var/lib/postgresql/data';

/** In a shell inside a node: the process that replays. */
export const startupProcess = "$(grep -l '^postgres: .*startup recovering' /proc/[0-9]*/cmdline | cut -d / -f 3)";

/** What `Herd` gives the superuser. */
const password = 'only-a-test';

export type Leader = { readonly name: string; readonly timeline: number };

/** A group whose leaders come and go, with a table `kept`, of which no row that both replicas had is ever lost. */
export class LedHerd {
  readonly herd: Herd;
  #daemon: DaemonProcess | undefined;
  #daemons = 0;
  /** Rows written, 1 to this. */
  #rows = 0;

  private constructor(herd: Herd) {
    this.herd = herd;
  }

  /** Makes the file of a group with two replicas; nothing is brought up. */
  static async prepare(
    fields: Readonly<Record<string, unknown>>,
    edit: (file: File) => File = (file) => file,
  ): Promise<LedHerd> {
    process.env['HERD_PASSWORD'] = password;
    return new LedHerd(await Herd.prepare((file) => edit({ ...file, ...fields })));
  }

  /** Brings it up, by a daemon that goes on or by `reconcile --once`; done when all is well. */
  async bringUp(by: 'daemon' | 'once'): Promise<void> {
    if (by === 'daemon') await this.startDaemon();
    else await this.reconcile();
    await this.becomeWhole('lb1-primary');
  }

  async end(): Promise<void> {
    await this.herd.cluster.cleanup();
  }

  container(name: string): string {
    return this.herd.container(name);
  }

  get daemon(): DaemonProcess {
    if (this.#daemon === undefined) throw new Error('no daemon runs');
    return this.#daemon;
  }

  async startDaemon(): Promise<void> {
    this.#daemons += 1;
    const stateDir = `${this.herd.cluster.directory}/daemon-${String(this.#daemons)}`;
    this.#daemon = await DaemonProcess.start(this.herd.cluster, { stateDir });
  }

  async stopDaemon(): Promise<void> {
    await this.#daemon?.stop();
    this.#daemon = undefined;
  }

  /** Runs a command, whatever its exit code. */
  pgherd(args: readonly string[], options: PgherdOptions = {}): Promise<Result> {
    return this.herd.cluster.pgherd(args, options);
  }

  spawnPgherd(args: readonly string[], options: PgherdOptions = {}): Promise<Running> {
    return this.herd.cluster.spawnPgherd(args, options);
  }

  /** Runs a command that must be done with exit code 0. */
  async run(...args: readonly string[]): Promise<Result> {
    const result = await this.pgherd(args);
    if (result.code === 0) return result;
    throw new Error(`pgherd ${args.join(' ')} exited ${String(result.code)}\n${result.stdout}${result.stderr}`);
  }

  async reconcile(): Promise<Result> {
    return await this.run('reconcile', '--once', '--timeout', '240');
  }

  /** What blocks the group, by `plan`. */
  async blocked(): Promise<readonly string[]> {
    const { blocked } = await this.herd.planJson();
    return blocked.map(({ resource, reason }) => `${resource}: ${reason.code}`);
  }

  // ---- who leads

  /** All that take writes; the newest first. One that hangs is not asked. */
  async leaders(hangs?: string): Promise<readonly Leader[]> {
    const names = (await this.#nodes()).filter((name) => name !== hangs);
    const nodes = names.map((name): TestNode => ({ name, container: this.container(name), address: '' }));
    const found = await findLeaders(nodes);
    return found.map(({ node, timeline }) => ({ name: node.name, timeline }));
  }

  /** Waits until one node leads, and it is as it should be. */
  async awaitLeader(what: string, holds: (leader: Leader) => boolean): Promise<Leader> {
    const [leader] = await until(
      () => `${what}; the daemon said\n${this.#said()}`,
      () => this.leaders(),
      ([first, second]) => first !== undefined && second === undefined && holds(first),
      limit,
    );
    if (leader === undefined) throw new Error('waited for nothing');
    return leader;
  }

  /** Waits until it is so long since the last change of leaders that the next one is not put off. */
  async coolDown(leader: string): Promise<void> {
    await until(
      'the last change of leaders is long ago',
      async () => Date.now() - (await this.#changedAt(leader)),
      (age) => age > coolDown,
    );
  }

  async #changedAt(leader: string): Promise<number> {
    const record: unknown = JSON.parse(await docker('exec', this.container(leader), 'cat', `${mount}/pgherd/record`));
    const { changes = [] } = record as { readonly changes?: readonly { readonly at: string }[] };
    return Date.parse(changes[0]?.at ?? '1970-01-01');
  }

  /** Waits until another node leads, on the next timeline. */
  async awaitSuccessor({ name, timeline }: Leader): Promise<Leader> {
    return await this.awaitLeader(
      `another node than ${name} leads`,
      (found) => found.name !== name && found.timeline === timeline + 1,
    );
  }

  /**
   * Kills the leader until another node leads on the next timeline: on a slow machine it may be back in place before anybody
   * could take over. One that hangs is not asked. Gives who leads, and the longest time in which nobody did, in milliseconds.
   */
  async failOver(
    { name, timeline }: Leader,
    hangs?: string,
  ): Promise<{ readonly next: Leader; readonly outage: number }> {
    await this.kill(name);
    let killed = performance.now();
    let outage = 0;
    const [next] = await until(
      () => `another node than ${name}, which is killed, leads; the daemon said\n${this.#said()}`,
      async () => {
        const found = await this.leaders(hangs);
        if (found.length > 0) outage = Math.max(outage, performance.now() - killed);
        if (found[0]?.name === name) {
          await dockerResult(['kill', this.container(name)]);
          killed = performance.now();
        }
        return found;
      },
      ([first, second]) =>
        first !== undefined && second === undefined && first.name !== name && first.timeline === timeline + 1,
      limit,
    );
    if (next === undefined) throw new Error('waited for nothing');
    return { next, outage };
  }

  /**
   * Waits until one node leads, all others follow it and have all rows, each may come back by itself, only the leader
   * has the write address, and there is nothing left to do.
   */
  async becomeWhole(name?: string): Promise<Leader> {
    const leader = await this.awaitLeader(`${name ?? 'a node'} leads`, (found) => found.name === (name ?? found.name));
    const nodes = await this.#nodes();
    const followers = nodes.filter((each) => each !== leader.name);
    await until(
      () => `${followers.join(', ')} follow ${leader.name}; the daemon said\n${this.#said()}`,
      () => this.followers(leader.name),
      (found) => found === followers.join(','),
      limit,
    );
    if (this.#daemon !== undefined) await this.#daemon.become('Ready', 'True');
    await until(
      'nothing is left to do',
      () => this.herd.plan(),
      (plan) => plan.length === 0,
      limit,
    );
    await this.#expectRows(leader.name, followers);
    await until(
      `all nodes may come back by themselves, and ${leader.name} has the write address`,
      () => this.#describe(nodes),
      (found) => found === nodes.map((each) => `${each} always${each === leader.name ? ' leads' : ''}`).join('\n'),
    );
    return leader;
  }

  /** Names of those that stream from a node. */
  followers(leader: string): Promise<string> {
    const sql = `SELECT coalesce(string_agg(application_name, ',' ORDER BY application_name), '')
      FROM pg_stat_replication WHERE state = 'streaming'`;
    return this.sql(leader, sql);
  }

  async #describe(nodes: readonly string[]): Promise<string> {
    const networks = '{{range $name, $_ := .NetworkSettings.Networks}} {{$name}}{{end}}';
    const format = `{{.HostConfig.RestartPolicy.Name}}${networks}`;
    const lines = await Promise.all(nodes.map((each) => this.herd.inspect(each, format)));
    const leads = (line: string): string => (line.includes(`${this.herd.cluster.name}_rw`) ? ' leads' : '');
    return nodes
      .map((each, index) => `${each} ${lines[index]?.split(' ')[0] ?? ''}${leads(lines[index] ?? '')}`)
      .join('\n');
  }

  #said(): string {
    return this.#daemon?.running.stdout().slice(-3000) ?? '';
  }

  async #nodes(): Promise<readonly string[]> {
    return await this.herd.containers('node');
  }

  // ---- data

  /** Rows of a query on one node. */
  sql(name: string, text: string): Promise<string> {
    return psql(this.container(name), text);
  }

  /** Writes a row by the leader, and waits until all that follow it have it. */
  async addRow(leader: string): Promise<void> {
    if (this.#rows === 0) await this.sql(leader, 'CREATE TABLE kept (n int PRIMARY KEY)');
    this.#rows += 1;
    await this.sql(leader, `INSERT INTO kept VALUES (${String(this.#rows)})`);
    const behind = 'SELECT count(*) FROM pg_stat_replication WHERE replay_lsn < pg_current_wal_lsn()';
    await until(
      'all that follow have the row',
      () => this.sql(leader, behind),
      (count) => count === '0',
    );
  }

  async #expectRows(leader: string, followers: readonly string[]): Promise<void> {
    if (this.#rows === 0) return;
    await this.addRow(leader);
    const expected = String(this.#rows);
    for (const name of [leader, ...followers]) {
      await until(
        `rows 1 to ${expected} are on ${name}`,
        () => this.sql(name, `SELECT count(*) FROM kept WHERE n <= ${expected}`),
        (count) => count === expected,
      );
    }
  }

  /** Has a replica receive nothing any more, with nobody being told. */
  async deafen(name: string): Promise<void> {
    await this.sql(name, "ALTER SYSTEM SET primary_conninfo = ''; SELECT pg_reload_conf()");
    await until(
      `${name} receives nothing`,
      () => this.sql(name, 'SELECT count(*) FROM pg_stat_wal_receiver'),
      (count) => count === '0',
    );
  }

  /** Has it receive again. */
  async heal(name: string): Promise<void> {
    await this.sql(name, 'ALTER SYSTEM RESET primary_conninfo; SELECT pg_reload_conf()');
  }

  /** The number of commits that wait for replicas. */
  waiting(leader: string): Promise<string> {
    return this.sql(leader, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
  }

  // ---- containers and volumes

  async kill(name: string): Promise<void> {
    await docker('kill', this.container(name));
  }

  /** Exit code and output of a node's health check. */
  async healthOf(name: string): Promise<string> {
    const command = ['exec', this.container(name), 'sh', `${mount}/pgherd/config/health`];
    const { code, stdout } = await dockerResult(command);
    return `${String(code)} ${stdout.trim()}`;
  }

  volumeOf(name: string): Promise<string> {
    return docker('inspect', '--format', '{{range .Mounts}}{{.Name}}{{end}}', this.container(name));
  }

  /** Takes a node away with its data; a daemon may make another container on it in between. */
  async removeWithVolume(name: string): Promise<void> {
    const volume = await this.volumeOf(name);
    await until(
      `${volume} is removed`,
      async () => {
        await dockerResult(['rm', '--force', this.container(name)]);
        return await dockerResult(['volume', 'rm', volume]);
      },
      ({ code, stderr }) => code === 0 || /no such volume/i.test(stderr),
    );
  }

  /** What its container has said; of one that was made anew, since then. */
  async logOf(name: string): Promise<string> {
    const { stdout, stderr } = await dockerResult(['logs', this.container(name)]);
    return stdout + stderr;
  }

  /** Runs a script in a container of its own with a volume, which nobody else must use. */
  async inVolume(volume: string, script: string): Promise<string> {
    const { run } = this.herd.cluster;
    const options = ['--rm', '--network=none', '--user=postgres', '--label', run.label, '--entrypoint=sh'];
    return await docker(
      'run',
      ...options,
      '--volume',
      `${volume}:${mount}`,
      'postgres:17',
      '-c',
      `cd ${mount} && ${script}`,
    );
  }

  /** Has a server end, and not be able to start until it is mended. */
  async break(name: string): Promise<void> {
    await docker(
      'exec',
      this.container(name),
      'sh',
      '-c',
      `cd ${mount}/pgdata/global && mv pg_control pg_control.aside`,
    );
    await docker('kill', this.container(name));
  }

  async mend(name: string): Promise<void> {
    await this.inVolume(await this.volumeOf(name), 'cd pgdata/global && mv pg_control.aside pg_control');
    // The engine waits longer and longer before it tries again, and the daemon too.
    await dockerResult(['restart', '--time', '0', this.container(name)]);
  }

  /** The name of the group's record in the volume of a node: `record.<version>.<leader>.<members>…`. */
  async recordOf(name: string): Promise<string> {
    return await docker('exec', this.container(name), 'readlink', `${mount}/pgherd/record`);
  }

  /** Slots of those that lead by the records in the nodes' volumes, whether their servers run or not. */
  async recordedLeaders(): Promise<readonly string[]> {
    const links = await Promise.all(
      (await this.#nodes()).map((name) => docker('cp', `${this.container(name)}:${mount}/pgherd/record`, '-')),
    );
    return links.flatMap((link) => /record\.\d+\.\d+\.(\d+)\./.exec(link)?.[1] ?? []);
  }

  /** Whom the record lists as those that commits waited for: `1-2`; empty: nobody; undefined: there is no list. */
  async listed(name: string): Promise<string | undefined> {
    const [, list] = /\.sync-\d+(?:-([\d-]+))?\./.exec(await this.recordOf(name)) ?? [];
    return list ?? ((await this.recordOf(name)).includes('.sync-') ? '' : undefined);
  }

  /** Waits until the record that a node holds says so, see `listed`. */
  async untilListed(name: string, list: string | undefined): Promise<void> {
    await until(
      () => `the record lists ${list === '' ? 'nobody' : (list ?? 'nothing')}; the daemon said\n${this.#said()}`,
      () => this.listed(name),
      (found) => found === list,
      limit,
    );
  }

  /** Has a session read the table `report` for ten minutes, in a transaction if `begin` says so. */
  async startReport(name: string, begin?: string): Promise<void> {
    const psql = ['psql', '-U', 'postgres', '-h', '/var/run/postgresql', ...(begin === undefined ? [] : ['-c', begin])];
    const report = 'SELECT count(*), pg_sleep(600) FROM report';
    await docker('exec', '--detach', this.container(name), ...psql, '-c', report);
    await until(
      `${name} reads`,
      () => this.sql(name, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"),
      (count) => count === '1',
    );
  }
}

/** The slot of a node that was not renamed. */
export function slotOf(name: string): string {
  return /replica(\d)$/.exec(name)?.[1] ?? '0';
}
