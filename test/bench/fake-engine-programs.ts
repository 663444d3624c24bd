import type { ExecCommand } from '../../src/docker/engine.ts';
import type { ExecResult } from '../../src/docker/types.ts';
import { parseSettings } from '../../src/postgres/config.ts';
import { compareRecords, readRecordName, type RecordName } from '../../src/postgres/layout.ts';
import { reportSql, type Report, type Sender } from '../../src/postgres/report.ts';
import { baseName, parent } from './fake-engine-files.ts';
import type { FakeContainer, FakeDatabase, FakeProcess } from './fake-engine-state.ts';

/** What programs see of the world outside their container. */
export type Surroundings = {
  /** The container that answers at an address, if the one who asks shares a network with it. */
  readonly reach: (from: FakeContainer, address: string) => FakeContainer | undefined;
  readonly containers: () => readonly FakeContainer[];
  /** The container's process ends by itself. */
  readonly exit: (container: FakeContainer, code: number) => void;
  readonly newSystemIdentifier: () => string;
};

type Done = ExecResult;
/** `waiting`: not yet, and it asks again; the text is what it says when its time is over. */
export type Ran = Done | { readonly waiting: string };

/** Of a database without a row. */
const firstLsn = 0x1000000;

const ok = (stdout = ''): Done => ({ code: 0, stdout, stderr: '' });
const failed = (code: number, stderr: string): Done => ({ code, stdout: '', stderr });

/** Starts a container's process; undefined: it has ended already, with `exit` told. */
export function startProcess(container: FakeContainer, around: Surroundings): FakeProcess | undefined {
  const { entrypoint = ['postgres'], command = [] } = container.spec;
  const [program = '', first = '', ...rest] = [...entrypoint, ...command];
  if (program === 'sh' && first.endsWith('/pgherd/config/start')) return startNode(container, first, around);
  if (program === 'sh' && first === '/etc/pgbalancer/config/start') return startBalancer(container, first, around);
  // What reads its standard input ends with it.
  if (container.spec.stdinOnce === true && !container.inputEnded) return { stopCode: 137 };
  if (program === 'sh' && first === '-c') return startShell(container, rest[0] ?? '', around);
  if (program === 'sh') {
    cannotOpen(container, first, around);
    return;
  }
  if (program === 'cat') {
    around.exit(container, 0);
    return undefined;
  }
  return { stopCode: 137 };
}

function cannotOpen(container: FakeContainer, path: string, around: Surroundings): undefined {
  container.say(`sh: 0: cannot open ${path}: No such file`);
  around.exit(container, 2);
}

// `echo WORDS [>&2]`, `exit N`, `sleep N`, `cat`, one after the other.
function startShell(container: FakeContainer, script: string, around: Surroundings): FakeProcess | undefined {
  const { code, stdout, stderr, sleeps } = runShell(script, '');
  container.log += stdout + stderr;
  if (sleeps) return { stopCode: 137 };
  around.exit(container, code);
  return undefined;
}

function runShell(script: string, input: string): Done & { readonly sleeps: boolean } {
  const said = { stdout: '', stderr: '' };
  for (const statement of script.split(';').map((each) => each.trim())) {
    const [word = '', ...words] = statement.split(/\s+/);
    if (word === 'exit') return { code: Number(words[0] ?? 0), ...said, sleeps: false };
    if (word === 'sleep') return { code: 0, ...said, sleeps: true };
    if (word === 'cat') said.stdout += input;
    if (word !== 'echo') continue;
    const toStderr = words.at(-1) === '>&2';
    said[toStderr ? 'stderr' : 'stdout'] += `${(toStderr ? words.slice(0, -1) : words).join(' ')}\n`;
  }
  return { code: 0, ...said, sleeps: false };
}

// ---- a node: src/postgres/scripts/start.sh

function startNode(container: FakeContainer, start: string, around: Surroundings): FakeProcess | undefined {
  const node = openNode(container, start);
  if (node === undefined) {
    cannotOpen(container, start, around);
    return;
  }
  const refuse = (why: string): undefined => {
    container.say(`pgherd start: ${why}`);
    around.exit(container, 78);
  };
  const { role, system, state } = node;
  // Whoever the newest record does not name leads nobody.
  const leads = node.volume.database?.isStandby === false && role !== 'follow';
  if (leads && newestRecordOf(container, node.home)?.leader !== Number(node.number)) {
    refuse('the record names another leader');
    return;
  }
  if (node.link('serves')?.startsWith('fenced') === true) {
    refuse('another node leads or is to: not starting');
    return;
  }
  if (state?.startsWith('data.')) {
    if (system !== '-' && state !== `data.${system}`) {
      refuse(`the volume holds ${state}`);
      return;
    }
    const process = newServer(node, around);
    return role === 'follow' && node.volume.database?.isStandby === false
      ? rejoin(node, around, refuse)
      : serve(node, process);
  }
  if (state !== undefined) {
    refuse(`the volume is marked '${state}'`);
    return;
  }
  if (role === 'lead') {
    refuse('told to lead, and the volume is empty');
    return;
  }
  if (node.volume.database !== undefined) {
    refuse('pgdata exists, and nothing says what it is');
    return;
  }
  if (role === 'bootstrap') {
    node.mark('state', 'bootstrapping');
    const systemIdentifier = around.newSystemIdentifier();
    node.volume.database = {
      system: systemIdentifier,
      timeline: 1,
      forks: [],
      reigns: [],
      isStandby: false,
      isShut: false,
      slots: new Set(),
      passwords: new Map(),
      rows: [],
      bounds: [],
    };
    return serve(node, newServer(node, around));
  }
  // A clone goes on when its leader answers and has its slot: whom that is, it reads from its volume each time.
  const process: FakeProcess = {
    ...newServer(node, around),
    stopCode: 137,
    proceed: () => {
      if (process.serves !== undefined) {
        if (process.serves === 'follower') replay(node, around);
        return;
      }
      const current = openNode(container, start) ?? node;
      const leader = reachLeader(current, current.read('conninfo'), around);
      if (leader === undefined) return;
      if (leader.system !== system) {
        refuse(`the leader is system ${leader.system}`);
        return;
      }
      if (!leader.slots.has(current.read('slot'))) return;
      node.volume.database = {
        ...leader,
        isStandby: true,
        slots: new Set(),
        passwords: new Map(leader.passwords),
        rows: [...leader.rows],
      };
      node.mark('state', `data.${system}`);
      serve(current, process);
    },
  };
  return process;
}

/** A server that was started on the data of a volume, and may be promoted while it runs. */
function newServer(node: OpenNode, around: Surroundings): FakeProcess {
  const process: FakeProcess = {
    stopCode: 0,
    stop: () => {
      // Its last word reaches those that stream.
      if (process.serves === 'leader' && node.volume.database !== undefined) node.volume.database.isShut = true;
    },
    proceed: () => {
      if (process.serves === 'follower') replay(node, around);
    },
  };
  return process;
}

// One that led, and follows from now on, when there is a leader that came after it.
function rejoin(node: OpenNode, around: Surroundings, refuse: (why: string) => undefined): FakeProcess {
  if (node.link('serves') === 'follow') node.mark('serves', 'kept');
  const server = newServer(node, around);
  const process: FakeProcess = {
    ...server,
    stopCode: 137,
    proceed: () => {
      if (process.serves !== undefined) {
        if (process.serves === 'follower') replay(node, around);
        return;
      }
      const own = node.volume.database;
      const leader = reachLeader(node, node.read('conninfo'), around);
      if (own === undefined || leader === undefined || leader.timeline <= own.timeline) return;
      if (leader.system !== own.system) {
        refuse(`the leader is system ${leader.system}`);
        return;
      }
      const fork = leader.forks.find(({ timeline }) => timeline === own.timeline);
      if (fork === undefined) {
        refuse(`timeline ${String(leader.timeline)} of the leader does not come from timeline ${String(own.timeline)}`);
        return;
      }
      const isUnacknowledged = node.has('quorum') && node.link('serves') === 'ended';
      const kept = own.rows.slice(fork.lsn - firstLsn);
      if (kept.length > 0 && !isUnacknowledged) {
        node.mark('state', 'diverged');
        refuse(`${String(kept.length)} transactions never reached the leader`);
        return;
      }
      own.rows.splice(fork.lsn - firstLsn);
      own.timeline = leader.timeline;
      own.forks = leader.forks;
      own.reigns = leader.reigns;
      own.isStandby = true;
      own.isShut = false;
      serve(node, process);
      replay(node, around);
    },
  };
  return process;
}

// A follower that streams has what its leader wrote.
function replay(node: OpenNode, around: Surroundings): void {
  const leader = leaderOf(node, around);
  const own = node.volume.database;
  if (own === undefined || leader === undefined || !canStream(own, leader, node.slot())) return;
  own.bounds = leader.bounds;
  own.timeline = leader.timeline;
  own.forks = leader.forks;
  own.reigns = leader.reigns;
  own.isShut = leader.isShut;
  for (const [role, verifier] of leader.passwords) own.passwords.set(role, verifier);
  own.rows.splice(0, own.rows.length, ...leader.rows);
}

/** A leader has what its follower asks for: all that comes after what it has, on its own timeline or one after it. */
function canStream(own: FakeDatabase, leader: FakeDatabase, slot: string): boolean {
  if (leader.system !== own.system || !leader.slots.has(slot)) return false;
  // Where two timelines have the same number, the records of one do not go on from those of the other.
  if (leader.timeline === own.timeline)
    return own.reigns[0] === leader.reigns[0] && own.rows.length <= leader.rows.length;
  const fork = leader.forks.find(({ timeline }) => timeline === own.timeline);
  return fork !== undefined && lsnOf(own) <= fork.lsn;
}

function lsnOf({ rows }: FakeDatabase): number {
  return firstLsn + rows.length;
}

type OpenNode = {
  readonly container: FakeContainer;
  readonly volume: FakeContainer['volumes'][number]['volume'];
  readonly home: string;
  readonly role: string;
  readonly system: string;
  /** Its slot in the group. */
  readonly number: string;
  readonly state: string | undefined;
  /** A file of the revision. */
  readonly read: (file: string) => string;
  readonly has: (file: string) => boolean;
  readonly link: (name: string) => string | undefined;
  /** The slot that it streams from, by the revision it has loaded. */
  readonly slot: () => string;
  readonly revision: string;
  readonly mark: (link: string, target: string) => void;
  readonly unmark: (link: string) => void;
};

// `script`: a script of pgherd's in a revision's folder, or in the one that `config` links to.
function openNode(container: FakeContainer, script: string): OpenNode | undefined {
  const { view } = container;
  const folder = view.follow(parent(script));
  const role = view.read(`${folder}/role`);
  const mounted = container.volumes.find(({ target }) => folder.startsWith(`${target}/`));
  if (role === undefined || view.read(script) === undefined || mounted === undefined) return undefined;
  const home = parent(folder);
  const [is = '', system = '', number = ''] = role.trim().split(' ');
  const loaded = (): string => baseName(view.link(`${home}/loaded`) ?? '');
  return {
    container,
    volume: mounted.volume,
    home,
    role: is,
    system,
    number,
    state: view.link(`${home}/state`),
    read: (file) => (view.read(`${folder}/${file}`) ?? '').trim(),
    has: (file) => view.read(`${folder}/${file}`) !== undefined,
    link: (name) => view.link(`${home}/${name}`),
    slot: () => (view.read(`${home}/${loaded()}/slot`) ?? view.read(`${folder}/slot`) ?? '').trim(),
    revision: baseName(folder),
    mark: (link, target) => {
      view.put(`${home}/${link}`, { type: 'link', target });
    },
    unmark: (link) => {
      if (view.link(`${home}/${link}`) !== undefined) view.remove(`${home}/${link}`);
    },
  };
}

// A leader's settings are written to its WAL, and bind who replays it.
function serve(node: OpenNode, process: FakeProcess): FakeProcess {
  const { database } = node.volume;
  const own = standbyBounds(node.read('postgresql.conf'));
  // One that is to lead and has only followed so far is promoted by who knows that nobody else leads.
  if (node.role === 'follow' && database !== undefined) database.isStandby = true;
  const isFollower = database?.isStandby === true;
  // Nobody follows it any more.
  if (node.role === 'follow') for (const slot of ownSlots(database)) database?.slots.delete(slot);
  const isRaised = node.role === 'follow' && own.some((value, index) => value < (database?.bounds[index] ?? 0));
  if (!isFollower && database !== undefined) {
    database.bounds = own;
    database.isShut = false;
  }
  node.mark('started', isRaised ? node.revision.replace(/\.[^.]*/, '.raised') : node.revision);
  node.unmark('detached');
  node.mark('loaded', node.revision);
  node.mark('serves', isFollower ? 'follow' : 'lead');
  process.serves = isFollower ? 'follower' : 'leader';
  return process;
}

const boundDefaults = [
  ['max_worker_processes', 8],
  ['max_wal_senders', 10],
  ['max_connections', 100],
  ['max_prepared_transactions', 0],
  ['max_locks_per_transaction', 64],
] as const;

/** What a standby must have at least as much of as its leader, in the order of `boundDefaults`. */
function standbyBounds(config: string): readonly number[] {
  return boundDefaults.map(([name, otherwise]) => {
    const value = new RegExp(`^${name} = '(.*)'$`, 'm').exec(config)?.[1];
    return value === undefined ? otherwise : Number(value);
  });
}

function leaderOf(node: OpenNode, around: Surroundings): FakeDatabase | undefined {
  if (node.link('detached') !== undefined) return undefined;
  const config = baseName(node.link('loaded') ?? node.revision);
  const conninfo = node.container.view.read(`${node.home}/${config}/conninfo`) ?? node.read('conninfo');
  return reachLeader(node, conninfo, around);
}

function reachLeader(node: OpenNode, conninfo: string, around: Surroundings): FakeDatabase | undefined {
  const address = /host=(\S+)/.exec(conninfo)?.[1] ?? '';
  const leader = around.reach(node.container, address);
  return leader?.process?.serves === 'leader' ? databaseOf(leader) : undefined;
}

export function databaseOf(container: FakeContainer): FakeDatabase | undefined {
  return container.volumes.find(({ volume }) => volume.database !== undefined)?.volume.database;
}

/** Whether a node's health check passes: a leader answers, a follower streams. */
function isHealthyNode(container: FakeContainer, script: string, around: Surroundings): boolean {
  const node = openNode(container, script);
  if (node === undefined || container.process?.serves === undefined) return false;
  if (container.process.serves === 'leader') return node.role !== 'follow';
  const leader = leaderOf(node, around);
  const own = databaseOf(container);
  return leader !== undefined && own !== undefined && canStream(own, leader, node.slot());
}

/** What a server says of itself, asked by a script of its revision; undefined while it does not answer. */
export function reportOf(container: FakeContainer, script: string, around: Surroundings): Report | undefined {
  const database = databaseOf(container);
  const serves = container.process?.serves;
  if (container.state !== 'running' || serves === undefined || database === undefined) return undefined;
  const isFollower = serves === 'follower';
  return {
    recovery: isFollower,
    timeline: database.timeline,
    reigns: database.reigns.join(' '),
    forks: isFollower ? null : database.forks,
    lsn: lsnOf(database),
    receiver: isFollower && isHealthyNode(container, script, around) ? 'streaming' : null,
    slots: isFollower ? {} : Object.fromEntries([...database.slots].map((name) => [name, 'reserved'])),
    oldest: null,
    senders: isFollower ? null : sendersOf(database, around),
    waitsFor: waitsFor(container, script),
    unsafe: [],
  };
}

/** The `synchronous_standby_names` that a server has loaded. */
function waitsFor(container: FakeContainer, script: string): string {
  const node = openNode(container, script);
  const loaded = baseName(node?.link('loaded') ?? '');
  const config = container.view.read(`${node?.home ?? ''}/${loaded}/postgresql.conf`) ?? '';
  return parseSettings(config)['synchronous_standby_names'] ?? '';
}

/** Whom a leader sends to, as pg_stat_replication lists them. */
function sendersOf(leader: FakeDatabase, around: Surroundings): Readonly<Record<string, Sender>> {
  return Object.fromEntries(
    around.containers().flatMap((container): (readonly [string, Sender])[] => {
      const follower =
        container.volumes[0] && openNode(container, `${container.volumes[0].target}/pgherd/config/health`);
      const own = follower?.volume.database;
      if (follower === undefined || own === undefined || container.process?.serves !== 'follower') return [];
      if (leaderOf(follower, around) !== leader || !canStream(own, leader, follower.slot())) return [];
      const name = /application_name=(\S+)/.exec(follower.read('conninfo'))?.[1] ?? '';
      return [[name, { state: 'streaming', lsn: lsnOf(own) }]];
    }),
  );
}

// ---- a balancer: src/balancer/scripts

function startBalancer(container: FakeContainer, start: string, around: Surroundings): FakeProcess | undefined {
  const { view } = container;
  if (view.read(start) === undefined) {
    cannotOpen(container, start, around);
    return;
  }
  const folder = view.follow(parent(start));
  view.put('/etc/pgbalancer/started', { type: 'link', target: baseName(folder) });
  return { stopCode: 0 };
}

function isHealthyBalancer(container: FakeContainer, around: Surroundings): boolean {
  const started = container.view.link('/etc/pgbalancer/started') ?? '';
  const config = container.view.read(`/etc/pgbalancer/${started}/pgbalancer.conf`) ?? '';
  const writer = /^backend_hostname0 = '([^']*)'$/m.exec(config)?.[1] ?? '';
  return container.process !== undefined && around.reach(container, writer)?.process?.serves === 'leader';
}

/** What Docker's own health check would find. */
export function isHealthy(container: FakeContainer, around: Surroundings): boolean {
  const script = container.spec.healthcheck?.command[1] ?? '';
  if (container.spec.healthcheck?.command[0] !== 'sh') return container.spec.healthcheck?.command[0] === 'true';
  return script.startsWith('/etc/pgbalancer/')
    ? isHealthyBalancer(container, around)
    : isHealthyNode(container, script, around);
}

// ---- exec

/** Runs a command once; one that waits for something says so instead, and is run again. */
export function runCommand(container: FakeContainer, command: ExecCommand, around: Surroundings, epoch?: number): Ran {
  const [program = '', first = '', ...rest] = command.command;
  const input = command.input ?? '';
  if (program === 'true') return ok();
  if (program === 'cat') return ok(input);
  if (program === 'echo') return ok(`${[first, ...rest].join(' ')}\n`);
  if (program === 'id') return ok(`${command.user?.split(':')[0] ?? '0'}\n`);
  if (program === 'pg_isready')
    return { code: container.process?.serves === undefined ? 2 : 0, stdout: '', stderr: '' };
  if (program === 'env') {
    const given = /^PGHERD_EPOCH=(\d+)$/.exec(first)?.[1];
    return runCommand(container, { ...command, command: rest }, around, given === undefined ? epoch : Number(given));
  }
  if (program === 'psql') {
    const statements = rest.filter((_, index) => rest[index - 1] === '-c');
    if (statements.includes(reportSql)) return runReport(container, around);
    return runSql(container, [...statements, input].join('\n'));
  }
  if (program === 'sh' && first === '-c' && rest[1] === 'hosts') return writeHosts(container, rest.slice(2));
  // As `serverProgram` makes it.
  if (program === 'sh' && first === '-c' && rest[0]?.endsWith('exec "$0" "$@"') === true) {
    return runCommand(container, { ...command, command: rest.slice(1) }, around);
  }
  if (program === 'sh' && first === '-c') {
    const { code, stdout, stderr } = runShell(rest[0] ?? '', input);
    for (const [, path = ''] of (rest[0] ?? '').matchAll(/\btouch (\S+)/g)) {
      container.view.put(path, { type: 'file', content: '' });
    }
    return { code, stdout, stderr };
  }
  if (program === 'sh') return runScript(container, first, rest, input, around, epoch);
  const why = `OCI runtime exec failed: exec: "${program}": executable file not found in $PATH: unknown\r\n`;
  return { code: 126, stdout: why, stderr: '' };
}

function runReport(container: FakeContainer, around: Surroundings): Ran {
  const home = container.volumes.map(({ target }) => `${target}/pgherd`)[0] ?? '';
  const report = reportOf(container, `${home}/config/health`, around);
  return report === undefined ? failed(2, 'no server is running\n') : ok(`${JSON.stringify(report)}\n`);
}

function runScript(
  container: FakeContainer,
  path: string,
  args: readonly string[],
  input: string,
  around: Surroundings,
  epoch: number | undefined,
): Ran {
  if (container.view.read(path) === undefined) return failed(2, `sh: 0: cannot open ${path}: No such file\n`);
  const script = baseName(path);
  if (script === 'await' || script === 'health') {
    if (args[1] === 'up') return container.process?.serves === undefined ? { waiting: 'no connection' } : ok();
    const isBalancer = path.startsWith('/etc/pgbalancer/');
    const passes = isBalancer ? isHealthyBalancer(container, around) : isHealthyNode(container, path, around);
    if (passes) return ok('healthy\n');
    return script === 'await' ? { waiting: 'not ready' } : failed(1, 'waiting\n');
  }
  const node = openNode(container, path);
  if (node === undefined) return failed(2, 'sh: cannot open role\n');
  const record = newestRecordOf(container, node.home);
  const isGuarded = script === 'apply' || script === 'detach' || script === 'promote';
  if (isGuarded && record !== undefined && record.epoch > (epoch ?? record.epoch)) {
    return failed(75, `pgherd ${script}: a later controller has taken over\n`);
  }
  if (script === 'apply') {
    node.mark('config', node.revision);
    if (node.link('detached') !== undefined) node.mark('detached', 'pending');
    if (container.process?.serves === undefined) return failed(2, 'no server is running\n');
    node.unmark('detached');
    node.mark('loaded', node.revision);
    const started = container.view.link(`${node.home}/started`);
    for (const each of container.view.below(node.home)) {
      const folder = /\/(rev\.[^/]+)$/.exec(each)?.[1];
      if (folder !== undefined && folder !== node.revision && folder !== started) container.view.remove(each);
    }
    return ok();
  }
  if (script === 'resume' || script === 'free') return ok();
  if (script === 'detach') return detach(node);
  if (script === 'promote') {
    if (record?.leader !== Number(node.number)) return failed(75, 'pgherd promote: the record names another leader\n');
    return promote(node, Number(args[1]), args.slice(2));
  }
  if (script === 'caught-up') return isCaughtUp(node, args.slice(1), around) ? ok() : { waiting: 'not as far' };
  return script === 'bootstrap' ? finishBootstrap(node, input) : failed(2, `no such script: ${script}\n`);
}

// src/postgres/scripts/prelude.sh: by the names, whatever the link says.
function newestRecordOf({ view }: FakeContainer, home: string): RecordName | undefined {
  const names = view.below(`${home}/records`).flatMap((path) => readRecordName(baseName(path)) ?? []);
  return names.toSorted((a, b) => compareRecords(b, a))[0];
}

// src/postgres/scripts/detach.sh
function detach(node: OpenNode): Ran {
  const { database } = node.volume;
  node.mark('detached', 'pending');
  const serves = node.container.process?.serves;
  if (serves === undefined || database === undefined) return { waiting: 'no server' };
  // One that somebody else has promoted says where it parted from the others.
  const fork = serves === 'leader' ? database.forks.at(-1) : { timeline: database.timeline, lsn: lsnOf(database) };
  if (fork === undefined) return failed(1, 'it is no standby, and was never promoted\n');
  const isShut = serves === 'follower' && database.isShut;
  const position = `${String(fork.timeline)}.${String(fork.lsn)}.${isShut ? 'shut' : 'open'}`;
  node.mark('detached', position);
  return ok(`${position}\n`);
}

/** Has a standby take writes: `pg_promote()`, by whomever. */
export function promoteServer({ process, volumes }: FakeContainer, number = 0): void {
  const database = volumes[0]?.volume.database;
  if (process?.serves !== 'follower' || database === undefined) throw new Error('it is no standby');
  process.serves = 'leader';
  database.forks = [...database.forks, { timeline: database.timeline, lsn: lsnOf(database) }];
  database.timeline = Math.max(database.timeline + 1, number);
  database.isStandby = false;
  database.isShut = false;
}

// src/postgres/scripts/promote.sh
function promote(node: OpenNode, number: number, slots: readonly string[]): Ran {
  node.mark('config', node.revision);
  const { process } = node.container;
  const { database } = node.volume;
  if (process?.serves === undefined || database === undefined) return { waiting: 'no server' };
  if (process.serves === 'follower') promoteServer(node.container, number);
  for (const slot of slots) database.slots.add(slot);
  node.mark('serves', 'lead');
  node.unmark('detached');
  node.mark('loaded', node.revision);
  return ok();
}

// src/postgres/scripts/caught-up.sh
function isCaughtUp(leader: OpenNode, [num, , ...names]: readonly string[], around: Surroundings): boolean {
  const { database } = leader.volume;
  if (database === undefined) return false;
  const senders = sendersOf(database, around);
  return names.filter((name) => (senders[name]?.lsn ?? 0) >= lsnOf(database)).length >= Number(num);
}

function finishBootstrap(node: OpenNode, sql: string): Ran {
  const database = databaseOf(node.container);
  if (node.container.process?.serves !== 'leader' || database === undefined) return { waiting: 'no server' };
  if (!sql.endsWith('-- end')) return failed(1, 'pgherd bootstrap: the SQL was cut short\n');
  if (database.passwords.has('pgherd_replication'))
    return failed(3, 'ERROR: role "pgherd_replication" already exists\n');
  for (const [, role = '', verifier = ''] of sql.matchAll(/CREATE ROLE (\w+) .*?PASSWORD '([^']*)'/g)) {
    database.passwords.set(role, verifier);
  }
  change(database, sql);
  node.container.view.remove(`${node.home}/init`);
  node.mark('state', `data.${database.system}`);
  return ok(`${database.system}\n`);
}

function runSql(container: FakeContainer, sql: string): Ran {
  const database = databaseOf(container);
  if (database === undefined || container.process?.serves === undefined) return failed(2, 'no server is running\n');
  if (container.process.serves === 'follower') return failed(3, 'ERROR: cannot execute in recovery\n');
  change(database, sql);
  return ok(sql.includes('pg_current_wal_insert_lsn') ? `${String(lsnOf(database))}\n` : '');
}

/** The slots that are pgherd's, and not a user's. */
function ownSlots(database: FakeDatabase | undefined): readonly string[] {
  return [...(database?.slots ?? [])].filter((name) => /^pgherd_\d+$/.test(name));
}

function change(database: FakeDatabase, sql: string): void {
  for (const [, role = '', verifier = ''] of sql.matchAll(/ALTER ROLE "((?:[^"]|"")*)" PASSWORD '([^']*)'/g)) {
    database.passwords.set(role.replaceAll('""', '"'), verifier);
  }
  const wanted = /ARRAY\[(.*?)\]::text\[\]/.exec(sql)?.[1];
  if (wanted === undefined) return;
  const slots = [...wanted.matchAll(/'([^']*)'/g)].map(([, name = '']) => name);
  for (const slot of ownSlots(database)) if (!slots.includes(slot)) database.slots.delete(slot);
  for (const slot of slots) database.slots.add(slot);
}

// src/balancer/scripts/hosts.sh: the readers' lines, and a link that tells it.
function writeHosts(container: FakeContainer, [lines = '', link = '', target = '']: readonly string[]): Ran {
  container.hosts = lines.split('\n').filter((line) => line !== '');
  container.view.put(link, { type: 'link', target });
  return ok();
}
