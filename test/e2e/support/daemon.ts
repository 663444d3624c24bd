import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Condition } from '../../../src/daemon/conditions.ts';
import type { Running, TestCluster } from './cluster.ts';
import { until } from './until.ts';

export type LogLine = {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
  readonly cluster?: string;
  readonly step?: string;
  readonly [field: string]: unknown;
};

export type DaemonOptions = {
  /** Another DOCKER_HOST, a proxy. */
  readonly host?: string;
  /** Files or folders; the cluster's file unless given. */
  readonly paths?: readonly string[];
  /** The folder for its state; one of its own unless given. */
  readonly stateDir?: string;
  readonly args?: readonly string[];
};

/** A pgherd that keeps a cluster, as a process of its own. */
export class DaemonProcess {
  readonly running: Running;
  readonly #cluster: TestCluster;
  readonly #stateDir: string;

  private constructor(cluster: TestCluster, running: Running, stateDir: string) {
    this.#cluster = cluster;
    this.running = running;
    this.#stateDir = stateDir;
  }

  static async start(cluster: TestCluster, options: DaemonOptions = {}): Promise<DaemonProcess> {
    const { host, paths = [cluster.file], args = [] } = options;
    const stateDir = options.stateDir ?? join(cluster.directory, 'daemon-state');
    const running = await cluster.spawnPgherd(
      ['reconcile', ...paths, '--state-dir', stateDir, '--format', 'json', ...args],
      host === undefined ? {} : { host },
    );
    return new DaemonProcess(cluster, running, stateDir);
  }

  /** What it has logged so far. */
  log(): readonly LogLine[] {
    const lines = this.running.stdout().split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as LogLine);
  }

  /** Ids of the steps it has done. */
  steps(): readonly string[] {
    return this.log().flatMap(({ step, msg }) => (step !== undefined && msg === 'done' ? [step] : []));
  }

  async conditions(cluster = this.#cluster.name): Promise<readonly Condition[]> {
    const text = await readFile(join(this.#stateDir, 'clusters', `${cluster}.json`), 'utf8');
    return (JSON.parse(text) as { conditions: readonly Condition[] }).conditions;
  }

  async condition(type: string, cluster = this.#cluster.name): Promise<Condition | undefined> {
    return (await this.conditions(cluster)).find((each) => each.type === type);
  }

  /**
   * Waits until a condition is true for a reason. One that is true already, for another reason, says only what was
   * before.
   */
  async becomeFor(type: string, reason: string, cluster = this.#cluster.name): Promise<void> {
    await until(
      this.#expecting(`${type} of ${cluster} is True, for ${reason}`),
      () => this.condition(type, cluster),
      (found) => found?.status === 'True' && found.reason === reason,
      60_000,
    );
  }

  /** Waits until a condition has a status. */
  async become(type: string, status: string, cluster = this.#cluster.name): Promise<Condition | undefined> {
    return until(
      this.#expecting(`${type} of ${cluster} is ${status}`),
      () => this.condition(type, cluster),
      (found) => found?.status === status,
      60_000,
    );
  }

  /** Waits until it says that it is stalled, in these words among others. */
  async becomeStalledBy(words: string): Promise<Condition | undefined> {
    return until(
      this.#expecting(`it is stalled by: ${words}`),
      () => this.condition('Stalled'),
      (found) => found?.message.includes(words) === true,
      60_000,
    );
  }

  #expecting(what: string): () => string {
    return () => `${what}; it logged\n${this.running.stdout().slice(-3000)}${this.running.stderr()}`;
  }

  /** Waits until it has logged a line. */
  async say(what: string, holds: (line: LogLine) => boolean): Promise<LogLine | undefined> {
    const found = await until(
      this.#expecting(`it logs ${what}`),
      () => this.log().find(holds),
      (line) => line !== undefined,
      60_000,
    );
    return found;
  }

  async kill(): Promise<void> {
    this.running.child.kill('SIGKILL');
    await this.running.done;
  }

  /** Ends it in order, and gives its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.running.child.kill(signal);
    return (await this.running.done).code;
  }
}
