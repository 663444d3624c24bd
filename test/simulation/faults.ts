import type { Handover } from '../../src/postgres/layout.ts';
import type { FakeContainer } from '../bench/fake-engine-state.ts';
import { between, pick, type Random } from '../chaos/random.ts';
import { moment, type Connection } from './connection.ts';
import { handOver, pause, reconcileOnce, withdraw } from './controllers.ts';
import type { Simulation } from './simulation.ts';
import type { Server } from './servers.ts';

/** Something that happens to a group, or is done to it. */
export type Fault = {
  readonly name: string;
  readonly weight: number;
  /** It takes the leader away, or is to. */
  readonly isOutage?: boolean;
  readonly happen: (simulation: Simulation) => void;
};

const scriptNames = ['apply', 'detach', 'promote', 'start', 'caught-up', 'await', 'resume', 'shutdown'] as const;

/** Calls that change something. */
const changes: ReadonlySet<string> = new Set([
  ...['writeArchive', 'exec', 'startContainer', 'stopContainer', 'killContainer', 'removeContainer', 'updateContainer'],
  ...['connectNetwork', 'disconnectNetwork', 'createContainer'],
]);

/** Where a foreign container has the name of a node. */
const foreign = 'foreign';

function leaderOf(simulation: Simulation): Server | undefined {
  return simulation.servers.all.find(({ isUp, database }) => isUp && !database.isStandby);
}

function leaderContainer(simulation: Simulation): FakeContainer | undefined {
  return leaderOf(simulation)?.container ?? simulation.node(simulation.record?.leader ?? 0);
}

function someNode({ nodes, random }: Simulation): FakeContainer | undefined {
  return nodes.length === 0 ? undefined : pick(random, nodes);
}

function replicas({ servers }: Simulation): readonly Server[] {
  return servers.all.filter(({ isUp, database }) => isUp && database.isStandby);
}

/** A person with the docker command. */
function byHand(simulation: Simulation, what: string, container: FakeContainer | undefined): void {
  if (container === undefined) return;
  const { world, trace } = simulation;
  const { engine } = world.connect();
  if (what === 'remove') simulation.removals += 1;
  trace?.(`${what} ${container.name}`);
  const done =
    what === 'kill'
      ? engine.killContainer(container.id, 'SIGKILL')
      : what === 'stop'
        ? engine.stopContainer(container.id, 10)
        : what === 'start'
          ? engine.startContainer(container.id)
          : engine.removeContainer(container.id);
  void done.catch(() => undefined);
}

function crash({ world, trace }: Simulation, container: FakeContainer | undefined): void {
  if (container === undefined) return;
  trace?.(`crash ${container.name}`);
  world.crash(container.id, 2);
}

function hang({ servers, clock, random, trace }: Simulation, container: FakeContainer | undefined): void {
  const server = servers.of(container);
  if (server?.isUp !== true) return;
  server.hang();
  trace?.(`hang ${server.container.name}`);
  if (random() < 0.5) {
    clock.after(moment(random) * 3, () => {
      if (server.isHung) trace?.(`wake ${server.container.name}`);
      server.wake();
    });
  }
}

// Between what it has read and what it writes, mostly.
function suspended(simulation: Simulation, connection: Connection): void {
  const { random, clock, trace } = simulation;
  if (random() < 0.3) return;
  const isBeforeWrite = random() < 0.6;
  let left = isBeforeWrite ? between(random, 1, 3) : between(random, 1, 60);
  connection.onCall = (method) => {
    if (isBeforeWrite && !changes.has(method)) return;
    left -= 1;
    if (left !== 0) return;
    trace?.(`a command is suspended before ${method}`);
    connection.suspend();
    clock.after(moment(random), () => {
      trace?.('the command goes on');
      connection.resume();
    });
  };
}

function ask(simulation: Simulation, kind: Handover['kind']): void {
  const { random, topology, clock } = simulation;
  const to = random() < 0.5 ? undefined : between(random, 0, 2);
  const name = `${kind}${to === undefined ? '' : ` to ${String(to)}`}`;
  if (kind === 'failover-lossy') simulation.isLossy = true;
  const connection = simulation.command(name, (own) => handOver(own, topology, clock, kind, to));
  suspended(simulation, connection);
}

function hangAtStart(simulation: Simulation): void {
  simulation.hangsAtStart = true;
  byHand(simulation, 'kill', leaderContainer(simulation));
}

/** Whoever is told to lead stops before it does. */
function hangSuccessor(simulation: Simulation): void {
  const connection = leadingDaemon(simulation)?.connection;
  if (connection === undefined) return;
  connection.onCall = (method, args) => {
    if (method !== 'exec' || !isPromotion(args)) return;
    connection.onCall = undefined;
    const [id] = args;
    const server = simulation.servers.of([...simulation.world.containers.values()].find((each) => each.id === id));
    server?.hang();
    simulation.trace?.(`hang ${server?.container.name ?? ''}, which is to lead`);
  };
}

function hangReplicas(simulation: Simulation): void {
  for (const server of replicas(simulation)) {
    server.hang();
    simulation.trace?.(`hang ${server.container.name}`);
  }
}

/** A switchover whose daemon dies as it stops the leader, after it has marked that; nobody asks for it any more then. */
function cutSwitchoverOff(simulation: Simulation): void {
  const connection = leadingDaemon(simulation)?.connection;
  if (connection === undefined) return;
  const { topology } = simulation;
  connection.onCall = (method) => {
    if (method !== 'stopContainer') return;
    connection.onCall = undefined;
    command.die();
    simulation.command('withdrawal', (own) => withdraw(own, topology));
    killDaemon(simulation);
  };
  const command = simulation.command('switchover', (own) =>
    handOver(own, topology, simulation.clock, 'switchover', undefined),
  );
}

/** A daemon is suspended before it does such a thing, and goes on when another one leads. */
function comeLate(simulation: Simulation, what: string, isIt: (args: readonly unknown[]) => boolean): void {
  const connection = leadingDaemon(simulation)?.connection;
  if (connection === undefined) return;
  const { clock, random, world, trace } = simulation;
  connection.onCall = (_, args) => {
    if (!isIt(args)) return;
    connection.onCall = undefined;
    trace?.(`a daemon is suspended before ${what}`);
    connection.suspend();
    byHand(simulation, 'remove', world.find('pgherd-lock-shop'));
    simulation.startDaemon(`daemon${String(between(random, 3, 99))}`);
    clock.after(between(random, 500, 2500), () => {
      ask(simulation, 'switchover');
    });
    clock.after(between(random, 2000, 9000), () => {
      trace?.('the daemon goes on');
      connection.resume();
    });
  };
}

function isPromotion([, command]: readonly unknown[]): boolean {
  return typeof command === 'object' && JSON.stringify(command).includes('/promote"');
}

function isRecord([, , entries]: readonly unknown[]): boolean {
  return Array.isArray(entries) && JSON.stringify(entries).includes('records/record.');
}

/** Whether a leader that is silent takes connections is asked, and the answer is lost. */
function loseAnswer(simulation: Simulation): void {
  const connection = leadingDaemon(simulation)?.connection;
  if (connection === undefined) return;
  connection.onCall = (method, args) => {
    if (method !== 'exec' || !JSON.stringify(args[1]).includes('pg_isready')) return;
    simulation.callTrouble = 1;
    connection.onCall = () => {
      simulation.callTrouble = 0;
      connection.onCall = undefined;
    };
  };
}

function leadingDaemon({ daemons }: Simulation): Simulation['daemons'][number] | undefined {
  return daemons.find(({ isStandby, connection }) => !isStandby && !connection.isDead) ?? daemons[0];
}

function suspendDaemon(simulation: Simulation): void {
  const { random, clock, trace } = simulation;
  const daemon = leadingDaemon(simulation);
  if (daemon === undefined || daemon.connection.isSuspended) return;
  const { connection } = daemon;
  const milliseconds = moment(random);
  const suspend = (): void => {
    connection.onCall = undefined;
    trace?.(`a daemon is suspended for ${String(milliseconds)} ms`);
    connection.suspend();
    clock.after(milliseconds, () => {
      trace?.('the daemon goes on');
      connection.resume();
    });
  };
  if (random() < 0.3) {
    suspend();
    return;
  }
  let left = between(random, 1, 12);
  connection.onCall = (method) => {
    if (!changes.has(method)) return;
    left -= 1;
    if (left === 0) suspend();
  };
}

/** Its lock is gone meanwhile, as where a network parts a controller from the engine. */
function suspendAndTakeLock(simulation: Simulation): void {
  suspendDaemon(simulation);
  const { clock, random, world } = simulation;
  clock.after(between(random, 1, 2500), () => {
    byHand(simulation, 'remove', world.find('pgherd-lock-shop'));
  });
}

function killDaemon(simulation: Simulation): void {
  const { daemons, random, clock, trace } = simulation;
  const index = daemons.findIndex(({ isStandby }) => !isStandby);
  const [daemon] = daemons.splice(Math.max(index, 0), 1);
  if (daemon === undefined) return;
  trace?.('a daemon dies');
  daemon.die();
  simulation.connections.delete(daemon.connection);
  clock.after(between(random, 50, 8000), () => {
    if (!simulation.isDown) trace?.('a daemon starts');
    simulation.startDaemon(`daemon${String(between(random, 3, 99))}`);
  });
}

function reboot(simulation: Simulation): void {
  const { clock, random } = simulation;
  if (simulation.isDown) return;
  simulation.goDown();
  clock.after(between(random, 300, 4000), () => {
    simulation.comeUp();
  });
}

function pauseForAWhile(simulation: Simulation): void {
  const { clock, random } = simulation;
  const connection = simulation.command('pause', (own) => pause(own, true));
  suspended(simulation, connection);
  clock.after(between(random, 1500, 9000), () => {
    simulation.command('resume', (own) => pause(own, false));
  });
}

function promoteByHand(simulation: Simulation): void {
  const { random, trace } = simulation;
  const candidates = replicas(simulation).filter(({ isReplayed, isHung }) => isReplayed && !isHung);
  if (candidates.length === 0) return;
  const server = pick(random, candidates);
  trace?.(`${server.container.name} is promoted by hand`);
  simulation.isHandPromoted = true;
  server.isOutlaw = true;
  server.promote();
}

function breakLeader(simulation: Simulation): void {
  const leader = leaderOf(simulation);
  if (leader === undefined || simulation.setting.failover !== 'manual') return;
  simulation.trace?.(`the data of ${leader.container.name} breaks`);
  leader.database.isBroken = true;
  crash(simulation, leader.container);
  simulation.clock.after(3000, () => {
    const { random, trace, servers } = simulation;
    const candidates = replicas(simulation).filter(({ isReplayed, isHung }) => isReplayed && !isHung);
    // One that hangs may go on.
    const isAnyLeft = servers.all.some(({ isAlive, database }) => isAlive && !database.isStandby);
    if (candidates.length === 0 || isAnyLeft) return;
    const server = pick(random, candidates);
    trace?.(`${server.container.name} is promoted by hand: it is the only one to write to`);
    // What it lacks, a human has given up.
    simulation.isLossy = true;
    simulation.isHandPromoted = true;
    server.isOnlyCopy = true;
    server.promote();
  });
}

/** The leader ends, who has all that it acknowledged hangs, and a human has the one that is left lead. */
function leaveOneBehind(simulation: Simulation): void {
  const { clock, random, topology, trace } = simulation;
  const [one, two] = replicas(simulation);
  if (one === undefined || two === undefined) return;
  const [behind, ahead] = random() < 0.5 ? [one, two] : [two, one];
  behind.lag = 90_000;
  trace?.(`${behind.container.name} lags`);
  clock.after(1000, () => {
    ahead.hang();
    trace?.(`hang ${ahead.container.name}`);
    byHand(simulation, 'kill', leaderContainer(simulation));
  });
  clock.after(between(random, 2000, 6000), () => {
    simulation.isLossy = true;
    const to = Number(behind.container.spec.labels['pgherd.node']);
    simulation.command('failover-lossy to the one that is behind', (own) =>
      handOver(own, topology, clock, 'failover-lossy', to),
    );
  });
}

/** The volume of a replica is lost, once; what only it and a leader had is on that leader then. */
function loseData(simulation: Simulation): void {
  const { world, servers, random, trace } = simulation;
  const those = replicas(simulation);
  if (simulation.isDataRemoved || leaderOf(simulation)?.isHung !== false || those.length === 0) return;
  const { container } = pick(random, those);
  simulation.isDataRemoved = true;
  const { engine } = world.connect();
  const remove = async (): Promise<void> => {
    await engine.removeContainer(container.id);
    for (const { volume } of container.volumes) {
      await engine.removeVolume(volume.name);
      servers.databases.delete(volume.name);
      trace?.(`the volume ${volume.name} is lost`);
    }
  };
  void remove().catch(() => undefined);
}

function takeName(simulation: Simulation): void {
  const container = someNode(simulation);
  if (container === undefined) return;
  const { world, clock, trace } = simulation;
  byHand(simulation, 'remove', container);
  clock.after(1, () => {
    trace?.(`a foreign container takes the name ${container.name}`);
    void world
      .connect()
      .engine.createContainer({
        name: container.name,
        image: 'postgres:17',
        entrypoint: ['sleep', 'infinity'],
        labels: { owner: foreign },
        network: 'none',
      })
      .catch(() => undefined);
  });
}

function takePort(simulation: Simulation): void {
  const container = simulation.node(0);
  simulation.trace?.('the port of the primary is taken');
  simulation.world.busyPorts.add(20_001);
  byHand(simulation, 'remove', container);
}

function hold(simulation: Simulation): void {
  const { random, clock, trace } = simulation;
  const all = random() < 0.5;
  for (const server of replicas(simulation)) {
    if (!all && random() < 0.5) continue;
    server.heldUntil = clock.now + between(random, 3000, 120_000);
    trace?.(`a report holds up replay on ${server.container.name}`);
  }
}

function replaySlowly(simulation: Simulation): void {
  const { random, clock, trace } = simulation;
  const those = replicas(simulation);
  if (those.length === 0) return;
  const server = pick(random, those);
  server.slowUntil = clock.now + between(random, 3000, 60_000);
  trace?.(`${server.container.name} replays slowly`);
}

function lag(simulation: Simulation): void {
  const { random, trace } = simulation;
  const those = replicas(simulation);
  if (those.length === 0) return;
  const server = pick(random, those);
  server.lag = pick(random, [100, 1000, 5000, 90_000]);
  trace?.(`${server.container.name} lags ${String(server.lag)} ms`);
}

function scriptTrouble({ random, scriptTrouble: troubles }: Simulation): void {
  for (let count = between(random, 1, 3); count > 0; count -= 1) {
    const script = pick(random, scriptNames);
    troubles.push({
      script,
      mishap: { at: between(random, 1, 12), is: pick(random, ['cut', 'fail', 'fail', 'hang'] as const) },
    });
  }
}

function callTrouble(simulation: Simulation): void {
  const { random, clock } = simulation;
  simulation.callTrouble = pick(random, [0.02, 0.1]);
  clock.after(between(random, 500, 6000), () => {
    simulation.callTrouble = 0;
  });
}

function hangArchiver(simulation: Simulation): void {
  const leader = leaderOf(simulation);
  if (leader === undefined) return;
  simulation.trace?.(`the archive_command of ${leader.container.name} hangs`);
  leader.isArchiverHung = true;
}

function fill(simulation: Simulation): void {
  const leader = leaderOf(simulation);
  if (leader === undefined) return;
  simulation.trace?.(`the connections of ${leader.container.name} are used up`);
  leader.isFull = true;
  simulation.isUsedUp = true;
}

const faults: readonly Fault[] = [
  { name: 'leader crashes', weight: 6, isOutage: true, happen: (it) => crash(it, leaderContainer(it)) },
  { name: 'leader killed', weight: 8, isOutage: true, happen: (it) => byHand(it, 'kill', leaderContainer(it)) },
  { name: 'leader stopped', weight: 2, isOutage: true, happen: (it) => byHand(it, 'stop', leaderContainer(it)) },
  { name: 'leader removed', weight: 3, isOutage: true, happen: (it) => byHand(it, 'remove', leaderContainer(it)) },
  { name: 'leader hangs', weight: 7, isOutage: true, happen: (it) => hang(it, leaderContainer(it)) },
  { name: 'node crashes', weight: 3, happen: (it) => crash(it, someNode(it)) },
  { name: 'node killed', weight: 3, happen: (it) => byHand(it, 'kill', someNode(it)) },
  { name: 'node started', weight: 3, happen: (it) => byHand(it, 'start', someNode(it)) },
  { name: 'node removed', weight: 2, happen: (it) => byHand(it, 'remove', someNode(it)) },
  { name: 'node hangs', weight: 3, happen: (it) => hang(it, someNode(it)) },
  { name: 'data of a replica lost', weight: 2, happen: loseData },
  { name: 'leader hangs as it starts', weight: 2, isOutage: true, happen: hangAtStart },
  { name: 'only one is left, behind', weight: 1, happen: leaveOneBehind },
  { name: 'successor hangs', weight: 2, happen: hangSuccessor },
  { name: 'replicas hang', weight: 1, happen: hangReplicas },
  { name: 'switchover cut off', weight: 2, happen: cutSwitchoverOff },
  { name: 'name taken', weight: 1, happen: takeName },
  { name: 'port taken', weight: 1, happen: takePort },
  { name: 'report', weight: 3, happen: hold },
  { name: 'lag', weight: 4, happen: lag },
  { name: 'replay is slow', weight: 2, happen: replaySlowly },
  { name: 'archiver hangs', weight: 1, happen: hangArchiver },
  { name: 'connections used up', weight: 2, happen: fill },
  {
    name: 'slow clone',
    weight: 2,
    happen: (it) => {
      it.cloneTime = pick(it.random, [20_000, 120_000]);
    },
  },
  { name: 'daemon dies', weight: 6, happen: killDaemon },
  { name: 'daemon suspended', weight: 6, happen: suspendDaemon },
  { name: 'daemon suspended, lock lost', weight: 3, happen: suspendAndTakeLock },
  { name: 'promotion comes late', weight: 1, happen: (it) => comeLate(it, 'a promotion', isPromotion) },
  { name: 'record comes late', weight: 1, happen: (it) => comeLate(it, 'a record', isRecord) },
  { name: 'reboot', weight: 4, isOutage: true, happen: reboot },
  { name: 'pause', weight: 6, happen: pauseForAWhile },
  { name: 'switchover', weight: 7, isOutage: true, happen: (it) => ask(it, 'switchover') },
  { name: 'failover', weight: 3, happen: (it) => ask(it, 'failover') },
  { name: 'failover with loss', weight: 2, isOutage: true, happen: (it) => ask(it, 'failover-lossy') },
  {
    name: 'reconcile --once',
    weight: 3,
    happen: (it) =>
      suspended(
        it,
        it.command('once', (own) => reconcileOnce(own, it.topology, it.clock, 20)),
      ),
  },
  { name: 'answer of a leader lost', weight: 1, happen: loseAnswer },
  { name: 'scripts fail', weight: 6, happen: scriptTrouble },
  { name: 'calls fail', weight: 4, happen: callTrouble },
  { name: 'promoted by hand', weight: 1, happen: promoteByHand },
  { name: 'leader broken', weight: 2, happen: breakLeader },
];

export function faultOf(name: string): Fault {
  const found = faults.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no such fault: ${name}`);
  return found;
}

const outages = faults.filter(({ isOutage }) => isOutage === true);

export function pickFault(random: Random): Fault {
  return pickOf(faults, random);
}

export function pickOutage(random: Random): Fault {
  return pickOf(outages, random);
}

function pickOf(all: readonly Fault[], random: Random): Fault {
  let left = random() * all.reduce((sum, { weight }) => sum + weight, 0);
  for (const fault of all) {
    left -= fault.weight;
    if (left < 0) return fault;
  }
  return pick(random, all);
}

/** What stays of faults that do not end by themselves ends now. */
export function endFaults(simulation: Simulation): void {
  const { world, servers, random } = simulation;
  world.busyPorts.clear();
  for (const { id, spec } of [...world.containers.values()]) {
    if (spec.labels['owner'] === foreign) void world.connect().engine.removeContainer(id);
  }
  simulation.cloneTime = between(random, 500, 3000);
  simulation.hangsAtStart = false;
  for (const server of servers.all) {
    server.endLag();
    server.heldUntil = 0;
    server.slowUntil = 0;
    server.isArchiverHung = false;
    if (server.isHung) server.wake();
  }
}

/** Nothing new happens from now on: what is suspended goes on, and somebody keeps the cluster. */
export function endDisturbance(simulation: Simulation): void {
  const { clock } = simulation;
  simulation.callTrouble = 0;
  simulation.scriptTrouble.length = 0;
  simulation.hangsAtStart = false;
  for (const connection of simulation.connections) {
    connection.onCall = undefined;
    connection.resume();
  }
  simulation.command('the last resume', async (own) => {
    for (;;) {
      try {
        await pause(own, false);
        // A command that was suspended may write after this one has read.
        const others = [...simulation.connections].filter((each) => each !== own && !simulation.isDaemon(each));
        if (others.length === 0) return;
      } catch {
        // The engine may be away.
      }
      await clock.sleep(1000);
    }
  });
}
