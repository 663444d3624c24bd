import { newCluster, type Result, type TestCluster } from './cluster.ts';
import { docker, dockerLines } from './engine.ts';
import { psql } from './psql.ts';
import { until } from './until.ts';

/** A topology file as these tests edit it. */
export type File = {
  readonly cluster_name: string;
  readonly postgres: Readonly<Record<string, unknown>>;
  readonly balancers: readonly Readonly<Record<string, unknown>>[];
  readonly [field: string]: unknown;
};

/** What a run did to containers, by their names less the cluster's. */
export type Touched = {
  readonly created: readonly string[];
  readonly removed: readonly string[];
  /** Another container of the same name. */
  readonly recreated: readonly string[];
  /** The same container, started anew. */
  readonly restarted: readonly string[];
};

export type PlanJson = {
  readonly changes: readonly {
    readonly resource: string;
    readonly actions: readonly string[];
    readonly reason: { readonly code: string; readonly detail: string };
    readonly fields: readonly {
      readonly path: string;
      readonly before: string | null;
      readonly after: string | null;
      readonly effect: string;
    }[];
  }[];
  readonly blocked: readonly { readonly resource: string; readonly reason: { readonly code: string } }[];
};

/** Nothing was touched. */
export const untouched: Touched = { created: [], removed: [], recreated: [], restarted: [] };

/** Who leads is brought back in place, however slow the machine: what is tested is not who takes over. */
export const patient = (file: File): File => ({ ...file, failover: { delay: '60s' } });

const password = 'only-a-test';

/** A running cluster that is edited, broken and mended, with a table `kept` whose rows must outlive everything. */
export class Herd {
  readonly cluster: TestCluster;
  #file: File;
  #rows = 0;

  private constructor(cluster: TestCluster, file: File) {
    this.cluster = cluster;
    this.#file = file;
  }

  /** Writes the file, as `edit` makes it of the least one; nothing is brought up. */
  static async prepare(edit: (file: File, cluster: TestCluster) => File): Promise<Herd> {
    const cluster = await newCluster();
    const least: File = {
      cluster_name: cluster.name,
      network: { subnet: cluster.subnet, rw_subnet: cluster.rwSubnet },
      postgres: { password: { env: 'HERD_PASSWORD' } },
      balancers: [{ name: 'lb1', replicas: 2, config: { num_init_children: 4, max_pool: 1 } }],
    };
    const herd = new Herd(cluster, edit(least, cluster));
    await cluster.write(herd.#file);
    return herd;
  }

  /** Brings it up, with the table. */
  async bringUp(): Promise<void> {
    await this.converge();
    await psql(this.container('lb1-primary'), 'CREATE TABLE kept (n int PRIMARY KEY)');
  }

  /** The name of the container of a node or balancer. */
  container(name: string): string {
    return `${this.cluster.name}-${name}`;
  }

  get file(): File {
    return this.#file;
  }

  /** Edits the file. */
  async edit(change: (file: File) => File): Promise<void> {
    this.#file = change(this.#file);
    await this.cluster.write(this.#file);
  }

  /** Edits the first balancer of the file. */
  async editBalancer(fields: Readonly<Record<string, unknown>>): Promise<void> {
    await this.edit((file) => ({
      ...file,
      balancers: file.balancers.map((each, index) => (index === 0 ? { ...each, ...fields } : each)),
    }));
  }

  /** Edits `postgres:` of the file; undefined takes a field away. */
  async editPostgres(fields: Readonly<Record<string, unknown>>): Promise<void> {
    await this.edit((file) => ({ ...file, postgres: { ...file.postgres, ...fields } }));
  }

  pgherd(...args: readonly string[]): Promise<Result> {
    return this.cluster.pgherd(args, { env: { HERD_PASSWORD: password } });
  }

  async planJson(): Promise<PlanJson> {
    const { stdout, stderr } = await this.pgherd('plan', '--format', 'json');
    if (stderr !== '') throw new Error(stderr);
    return JSON.parse(stdout) as PlanJson;
  }

  /**
   * What `plan` shows: a line for each change (`restart node/lb1-primary: configuration`), below it a line for each
   * field that has one of these paths (all of them unless given); blocked resources last.
   */
  async plan(paths?: readonly string[]): Promise<readonly string[]> {
    const { changes, blocked } = await this.planJson();
    return [
      ...changes.flatMap(({ resource, actions, reason, fields }) => [
        `${actions.join('+')} ${this.#short(resource)}: ${reason.code}`,
        ...fields
          .filter(({ path }) => paths === undefined || paths.includes(path))
          .map(
            ({ path, before, after, effect }) =>
              `  ${this.#short(path)}: ${before ?? '(none)'} -> ${after ?? '(none)'} (${effect})`,
          ),
      ]),
      ...blocked.map(({ resource, reason }) => `blocked ${this.#short(resource)}: ${reason.code}`),
    ];
  }

  #short(text: string): string {
    return text.replaceAll(this.cluster.name, '<cluster>');
  }

  /** Reconciles, which must converge, after which there must be nothing left to do. Gives what was touched. */
  async converge(): Promise<Touched> {
    const before = await this.look();
    const reconciled = await this.pgherd('reconcile', '--once', '--timeout', '240');
    if (reconciled.code !== 0) throw new Error(show('reconcile --once', reconciled));
    const planned = await this.pgherd('plan', '--detailed-exitcode');
    if (planned.code !== 0) throw new Error(show('plan --detailed-exitcode, afterwards,', planned));
    return compare(before, await this.look());
  }

  /** Adds a row by the leader, converges, and finds that row and all before it on every node of the file. */
  async convergeKeepingRows(leader = 'lb1-primary'): Promise<Touched> {
    await this.addRow(leader);
    const touched = await this.converge();
    await this.findRows();
    return touched;
  }

  async addRow(leader = 'lb1-primary'): Promise<void> {
    this.#rows += 1;
    await psql(this.container(leader), `INSERT INTO kept VALUES (${this.#rows})`);
  }

  /** Writes a row through the balancer, then finds it and all before it on every node. */
  async findRows(): Promise<void> {
    this.#rows += 1;
    const balancer = { host: '127.0.0.1', port: 9999, password };
    await psql(this.container('lb1'), `INSERT INTO kept VALUES (${this.#rows})`, balancer);
    const nodes = (await this.containers('node')).filter((name) => name.startsWith('lb1-'));
    await Promise.all(
      nodes.map((name) =>
        until(
          `rows 1 to ${this.#rows} are on ${name}`,
          () => psql(this.container(name), 'SELECT count(*), max(n) FROM kept'),
          (rows) => rows === `${this.#rows}|${this.#rows}`,
        ),
      ),
    );
  }

  /** Names of its containers, less the cluster's. */
  async containers(kind?: 'node' | 'balancer'): Promise<readonly string[]> {
    const filter = ['--filter', `label=pgherd.cluster=${this.cluster.name}`];
    const kinds = kind === undefined ? [] : ['--filter', `label=pgherd.kind=${kind}`];
    const names = await dockerLines('ps', '--all', '--format', '{{.Names}}', ...filter, ...kinds);
    // The engine may still be at removing the lock of a run that has ended.
    const kept = names.filter((name) => !name.startsWith('pgherd-lock-'));
    return kept.map((name) => name.replace(`${this.cluster.name}-`, '')).toSorted();
  }

  /** Id and time of the last start of each container. */
  async look(): Promise<ReadonlyMap<string, { readonly id: string; readonly started: string }>> {
    const names = await this.containers();
    if (names.length === 0) return new Map();
    const lines = await dockerLines(
      'inspect',
      '--format',
      '{{.Id}} {{.State.StartedAt}}',
      ...names.map((name) => this.container(name)),
    );
    return new Map(
      names.map((name, index) => {
        const [id = '', started = ''] = (lines[index] ?? '').split(' ');
        return [name, { id, started }];
      }),
    );
  }

  /** A field of a container's inspect, by Go template. */
  inspect(name: string, format: string): Promise<string> {
    return docker('inspect', '--format', format, this.container(name));
  }

  /** Rows of a query on each of these nodes. */
  ask(names: readonly string[], sql: string): Promise<readonly string[]> {
    return Promise.all(names.map((name) => psql(this.container(name), sql)));
  }

  /** Names of its volumes, less the cluster's. */
  async volumes(): Promise<readonly string[]> {
    return (await this.cluster.volumes()).map((name) => name.replace(`${this.cluster.name}_`, ''));
  }

  async leftovers(): Promise<readonly string[]> {
    const { stdout } = await this.pgherd('status', '--format', 'json');
    const { clusters } = JSON.parse(stdout) as { clusters: readonly { leftovers: readonly string[] }[] };
    return (clusters[0]?.leftovers ?? []).map((name) => name.replace(`${this.cluster.name}_`, ''));
  }
}

function show(what: string, { code, stdout, stderr }: Result): string {
  return `${what} exited ${String(code)}\n${stdout}${stderr}`;
}

function compare(
  before: ReadonlyMap<string, { readonly id: string; readonly started: string }>,
  after: ReadonlyMap<string, { readonly id: string; readonly started: string }>,
): Touched {
  const both = [...after.keys()].filter((name) => before.has(name));
  const isSame = (name: string): boolean => before.get(name)?.id === after.get(name)?.id;
  return {
    created: [...after.keys()].filter((name) => !before.has(name)),
    removed: [...before.keys()].filter((name) => !after.has(name)),
    recreated: both.filter((name) => !isSame(name)),
    restarted: both.filter((name) => isSame(name) && before.get(name)?.started !== after.get(name)?.started),
  };
}
