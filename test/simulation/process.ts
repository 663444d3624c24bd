import { compareRecords, formatRecordName, readRecordName, type RecordName } from '../../src/postgres/layout.ts';
import { parseRecord } from '../../src/postgres/record.ts';
import type { FakeContainer } from '../bench/fake-engine-state.ts';
import { baseName, parent } from '../bench/fake-engine-files.ts';
import { between } from '../chaos/random.ts';
import type { Server, Servers } from './servers.ts';
import type { Database } from './wal.ts';

/** The newest record in a volume, by the names of its files. */
export function newestRecordIn({ view }: FakeContainer, home: string): RecordName | undefined {
  const names = view.below(`${home}/records`).flatMap((path) => readRecordName(baseName(path)) ?? []);
  return names.toSorted((a, b) => compareRecords(b, a))[0];
}

/** The process was killed: nothing of it comes after. */
export class Cut extends Error {
  override readonly name = 'Cut';
}

/** The process ended with a code other than 0. */
export class Failed extends Error {
  override readonly name = 'Failed';
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** What befalls a script at one of its steps. */
export type Mishap = { readonly at: number; readonly is: 'cut' | 'fail' | 'hang' };

/** A script that runs in a node's container, one small step after the other; it may end at any of them. */
export class Process {
  readonly servers: Servers;
  readonly container: FakeContainer;
  /** The folder of its revision. */
  folder: string;
  readonly home: string;
  readonly #script: string;
  readonly #mishap: Mishap | undefined;
  #steps = 0;
  isKilled = false;
  readonly #kill = (): void => {
    this.isKilled = true;
  };

  /** Of the controller that runs it; undefined: nobody says. */
  readonly #epoch: number | undefined;

  constructor(servers: Servers, container: FakeContainer, script: string, mishap?: Mishap, epoch?: number) {
    this.#epoch = epoch;
    this.#script = script;
    this.servers = servers;
    this.container = container;
    this.folder = container.view.follow(parent(script));
    this.home = parent(this.folder);
    this.#mishap = mishap;
    container.attached.add(this.#kill);
  }

  end(): void {
    this.container.attached.delete(this.#kill);
  }

  get now(): number {
    return this.servers.clock.now;
  }

  get revision(): string {
    return baseName(this.folder);
  }

  /** Begins again with what is in force in the volume now. */
  renew(): void {
    this.folder = this.container.view.follow(`${this.home}/config`);
  }

  /** The same with the files that are in force now. */
  get config(): Pick<Process, 'read'> {
    const { view } = this.container;
    return { read: (file) => (view.read(`${this.home}/config/${file}`) ?? '').trim() };
  }

  /** The text of a file of the revision. */
  read(file: string): string {
    return (this.container.view.read(`${this.folder}/${file}`) ?? '').trim();
  }

  has(file: string): boolean {
    return this.container.view.read(`${this.folder}/${file}`) !== undefined;
  }

  /** src/postgres/scripts/reign.sh: whether it has WAL of another reign that the leader of this one does not come from. */
  isAstray(reign: string): boolean {
    const was = this.link('reign') ?? '';
    const timeline = this.database?.timeline ?? 0;
    const forkOf = (each: string): number => Number(each.split('.')[1] ?? 0);
    if (was === '' || was === reign || timeline <= forkOf(was) || forkOf(reign) === 0) return false;
    if (this.container.view.read(`${this.home}/${this.link('loaded') ?? ''}/reign`) === undefined) return false;
    const name = this.newest === undefined ? '' : formatRecordName(this.newest);
    const { reigns = [] } = parseRecord(this.container.view.read(`${this.home}/records/${name}`) ?? '') ?? {};
    const before = reigns.includes(reign) ? reigns.slice(reigns.indexOf(reign) + 1) : [was];
    if (!before.includes(was)) return true;
    return timeline > Math.min(forkOf(reign), ...before.slice(0, before.indexOf(was)).map(forkOf));
  }

  /** A server goes by the revision in force; `role`: of one that is about to start. */
  async takePart(role?: string): Promise<void> {
    let reign = '';
    for (;;) {
      const now = this.config.read('reign');
      if (now === '' || now === reign) return;
      reign = now;
      if (role === 'follow' && this.isAstray(reign)) await this.setAside();
      await this.mark('reign', reign);
    }
  }

  async setAside(): Promise<never> {
    const leader = this.servers.reach(this.container, this.read('conninfo'));
    if (leader !== undefined && this.database?.isPrefixOf(leader.database) === true) {
      this.servers.onSetAsideInVain?.(`${this.container.name} holds nothing but what its leader has, and is set aside`);
    }
    await this.mark('state', 'diverged');
    throw new Failed(1, 'it has WAL from another leader: the volume is set aside');
  }

  /** The newest record that the volume was given. */
  get newest(): RecordName | undefined {
    return newestRecordIn(this.container, this.home);
  }

  /** Refuses what a controller instructs after a later one has claimed the group. */
  async guard(): Promise<void> {
    await this.step();
    const epoch = this.newest?.epoch ?? 0;
    if (epoch > (this.#epoch ?? epoch)) throw new Failed(75, 'a later controller has taken over: refusing');
  }

  link(name: string): string | undefined {
    return this.container.view.link(`${this.home}/${name}`);
  }

  /** Lets a moment pass, after which it may be dead. */
  async step(milliseconds = between(this.servers.random, 1, 8)): Promise<void> {
    await this.servers.clock.sleep(milliseconds);
    if (this.isKilled) throw new Cut('killed');
    this.#steps += 1;
    const mishap = this.#mishap;
    if (mishap?.at !== this.#steps) return;
    if (mishap.is === 'cut') throw new Cut('killed by somebody');
    if (mishap.is === 'fail') throw new Failed(1, 'something else failed');
    // Longer than anybody waits for a script; of one that starts a server nobody knows how long it takes.
    const end = this.now + (baseName(this.#script) === 'start' ? 40_000 : 200_000);
    while (this.now < end) await this.step(200);
  }

  async mark(link: string, target: string): Promise<void> {
    await this.step();
    this.set(link, target);
  }

  async unmark(link: string): Promise<void> {
    await this.step();
    this.set(link, undefined);
  }

  /** Sets a link in the same moment; undefined: removes it. */
  set(link: string, target: string | undefined): void {
    const path = `${this.home}/${link}`;
    if (target !== undefined) this.container.view.put(path, { type: 'link', target });
    else if (this.link(link) !== undefined) this.container.view.remove(path);
  }

  /** What is in the volume. */
  get database(): Database | undefined {
    return this.servers.databases.get(this.container.volumes[0]?.volume.name ?? '');
  }

  get server(): Server | undefined {
    return this.servers.of(this.container);
  }

  /** Connects: with a server that does not answer it waits, and for how long it was told to. */
  async connect(as: 'superuser' | 'monitor' = 'superuser', timeout = Infinity): Promise<Server> {
    await this.step();
    const until = this.now + timeout;
    for (;;) {
      const { server } = this;
      if (server?.isUp !== true) throw new Failed(2, 'no server is running');
      if (!server.isHung) {
        if (as === 'monitor' && server.isFull) throw new Failed(2, 'too many clients already');
        return server;
      }
      if (this.now >= until) throw new Failed(2, 'timeout expired');
      await this.step(200);
    }
  }
}
