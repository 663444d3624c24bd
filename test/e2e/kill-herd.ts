import { inspect } from 'node:util';
import { expect } from 'vitest';
import { startProxy, type Call, type Proxy } from '../bench/proxy.ts';
import { CallNames } from './kill-names.ts';
import { newCluster, type Result, type TestCluster } from './support/cluster.ts';
import { docker, dockerLines, engineHost } from './support/engine.ts';
import { psql } from './support/psql.ts';
import { until } from './support/until.ts';

/** How a cluster stands between operations: with so many replicas, destroyed with its volumes kept, or never made. */
export type State = 'nothing' | 'one' | 'two' | 'destroyed';

export type Strike = { readonly call: string; readonly act: 'kill-before' | 'kill-after' | 'drop-reply' };

/** What came of a run: its result, and whether the call it was to be struck at came. */
export type Struck = { readonly result: Result; readonly isHit: boolean };

const GROUP = 'lb1';

/** One small cluster behind a proxy of its own, the controller of which can be struck at any call. */
export class Herd {
  readonly cluster: TestCluster;
  readonly #proxy: Proxy;
  readonly #names: CallNames;
  state: State = 'nothing';
  /** Rows committed, 1 to this. */
  #rows = 0;
  #systemIdentifier = '';

  private constructor(cluster: TestCluster, proxy: Proxy) {
    this.cluster = cluster;
    this.#proxy = proxy;
    this.#names = new CallNames(cluster.name);
  }

  static async make(): Promise<Herd> {
    return new Herd(await newCluster(), await startProxy({ upstream: await engineHost() }));
  }

  async end(): Promise<void> {
    await this.#proxy.close();
    await this.cluster.cleanup();
  }

  async write(replicas: number): Promise<void> {
    const { name, subnet, rwSubnet } = this.cluster;
    await this.cluster.write({
      cluster_name: name,
      network: { subnet, rw_subnet: rwSubnet },
      balancers: [{ name: GROUP, replicas }],
      // However slow the machine: who leads is started in place.
      failover: { delay: '60s' },
    });
  }

  /** Runs a command through the proxy to its end, and gives the names of its calls that change something. */
  async record(args: readonly string[]): Promise<{ readonly result: Result; readonly calls: readonly string[] }> {
    const calls: string[] = [];
    await this.#prepare((call) => {
      const name = this.#names.of(call);
      if (name !== undefined) calls.push(name);
    });
    return { result: await this.run(args, this.#proxy.host), calls };
  }

  /** Runs a command through the proxy and strikes it at a call. */
  async strike(args: readonly string[], { call, act }: Strike): Promise<Struck> {
    await this.#prepare(() => undefined);
    const running = await this.cluster.spawnPgherd([...args, this.cluster.file], { host: this.#proxy.host });
    const injection = this.#proxy.inject({
      when: (one) => this.#names.of(one) === call,
      act,
      onHit: async () => {
        if (act === 'drop-reply') return;
        running.child.kill('SIGKILL');
        await running.done;
      },
    });
    const result = await running.done;
    return { result, isHit: injection.hits() > 0 };
  }

  async run(args: readonly string[], host?: string): Promise<Result> {
    return await this.cluster.pgherd([...args, this.cluster.file], host === undefined ? {} : { host });
  }

  // Names must be known when calls come; ids are looked up while the first read after them waits.
  async #prepare(onCall: (call: Call) => void): Promise<void> {
    await this.#names.learn();
    this.#proxy.reset();
    this.#names.reset();
    this.#proxy.inject({
      when: (call) => {
        onCall(call);
        return this.#names.isTimeToLearn(call);
      },
      act: 'delay',
      ms: 0,
      times: Infinity,
      onHit: () => this.#names.learn(),
    });
  }

  /** Removes everything, volumes too, without pgherd. */
  async wipe(): Promise<void> {
    const [containers, networks, volumes] = await Promise.all([
      this.cluster.containers(),
      this.cluster.networks(),
      this.cluster.volumes(),
    ]);
    if (containers.length > 0) await docker('rm', '--force', '--volumes', ...containers);
    await Promise.all([
      networks.length > 0 ? docker('network', 'rm', ...networks) : '',
      volumes.length > 0 ? docker('volume', 'rm', ...volumes) : '',
    ]);
    this.state = 'nothing';
    this.#rows = 0;
    this.#systemIdentifier = '';
  }

  /** Forgets the replica that a scaling down has left a volume of, so that the next scaling up clones. */
  async forgetSecond(): Promise<void> {
    const left = (await this.cluster.volumes()).filter((name) => name.includes(`_${GROUP}_2_`));
    if (left.length > 0) await docker('volume', 'rm', ...left);
  }

  /** Asserts that the cluster is whole: exactly what the file says, all of it replicating, all rows there. */
  async expectWhole(replicas: number): Promise<void> {
    const slots = [...Array(replicas + 1).keys()];
    const { name } = this.cluster;
    const nodes = slots.map((slot) => `${name}-${GROUP}-${slot === 0 ? 'primary' : `replica${String(slot)}`}`);
    const [leader = '', ...followers] = nodes;
    const balancer = `${name}-${GROUP}`;
    const [plan, , details, hosts, led] = await Promise.all([
      this.run(['plan', '--detailed-exitcode']),
      this.#expectOnly([balancer, ...nodes], [name, `${name}_rw`]),
      docker('inspect', '--format', '{{.State.Running}}{{range .Mounts}} {{.Name}}{{end}}', ...nodes, balancer),
      docker('exec', balancer, 'cat', '/etc/hosts'),
      psql(leader, LEADER_SQL),
    ]);
    expect(plan, 'a plan afterwards').toMatchObject({ code: 0 });
    const mounted = new RegExp(
      `^${slots.map((slot) => `true ${name}_${GROUP}_${String(slot)}_\\d+`).join('\n')}\ntrue$`,
    );
    expect(details, 'states and volumes').toMatch(mounted);
    expect(hosts.match(/\sreader\d+$/gm)?.length, `readers in the balancer's hosts file:\n${hosts}`).toBe(replicas);
    const [recovery, streaming, slotNames, system = ''] = led.split('|');
    const expected = followers.map((_, index) => `pgherd_${String(index + 1)}`).join(',');
    expect([recovery, streaming, slotNames], 'the leader').toEqual(['f', String(replicas), expected]);
    if (this.#systemIdentifier !== '') expect(system, 'system identifier').toBe(this.#systemIdentifier);
    this.#systemIdentifier = system;
    await this.#expectRows(leader, followers);
  }

  // All rows committed so far, and one more, on the leader and on each replica.
  async #expectRows(leader: string, followers: readonly string[]): Promise<void> {
    const insert = `INSERT INTO kept VALUES (${String(this.#rows + 1)}); SELECT count(*), sum(n) FROM kept`;
    const rows = await psql(leader, this.#rows === 0 ? `CREATE TABLE kept (n int PRIMARY KEY); ${insert}` : insert);
    this.#rows += 1;
    expect(rows, 'rows').toBe(`${String(this.#rows)}|${String((this.#rows * (this.#rows + 1)) / 2)}`);
    await Promise.all(
      followers.map((follower) =>
        until(
          `${follower} has all rows`,
          () => psql(follower, 'SELECT pg_is_in_recovery(), count(*), sum(n) FROM kept'),
          (seen) => seen === `t|${rows}`,
          60_000,
        ),
      ),
    );
  }

  async expectDestroyed(): Promise<void> {
    await this.#expectOnly([], []);
  }

  // The engine may still be at removing a lock that was given back.
  async #expectOnly(containers: readonly string[], networks: readonly string[]): Promise<void> {
    const expected = inspect([containers.toSorted(), networks]);
    await until(
      `exactly these containers and networks: ${expected}`,
      () => Promise.all([this.cluster.containers(), this.cluster.networks()]),
      (seen) => inspect(seen) === expected,
    );
  }
}

/** Asserts that no volume of before is gone, and that each of these slots has a new one and at most one set aside. */
export function expectVolumes(before: readonly string[], after: readonly string[], newSlots: readonly number[]): void {
  expect(after, 'volumes of before').toEqual(expect.arrayContaining([...before]));
  const made = after.filter((name) => !before.includes(name));
  const bySlot = newSlots.map((slot) => made.filter((name) => name.includes(`_${GROUP}_${String(slot)}_`)));
  for (const names of bySlot) expect([1, 2], `new volumes: ${names.join(', ')}`).toContain(names.length);
  expect(bySlot.flat().toSorted(), 'new volumes').toEqual(made.toSorted());
}

/** Names of volumes that no one named and no container has: other tests' containers may have some. */
export async function anonymousVolumes(): Promise<readonly string[]> {
  const names = await dockerLines('volume', 'ls', '--quiet', '--filter', 'dangling=true');
  return names.filter((name) => /^[0-9a-f]{64}$/.test(name));
}

const LEADER_SQL = `SELECT pg_is_in_recovery(),
  (SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'),
  (SELECT coalesce(string_agg(slot_name, ',' ORDER BY slot_name), '') FROM pg_replication_slots),
  (SELECT system_identifier FROM pg_control_system())`;
