import type { ExecCommand } from '../../src/docker/engine.ts';
import type { ExecResult } from '../../src/docker/types.ts';
import { reportSql } from '../../src/postgres/report.ts';
import { baseName } from '../bench/fake-engine-files.ts';
import { isHealthy, runCommand, startProcess, type Surroundings } from '../bench/fake-engine-programs.ts';
import type { FakeContainer, FakeProcess } from '../bench/fake-engine-state.ts';
import { FakeQueue, holdOpen } from '../bench/fake-engine-streams.ts';
import type { FakePrograms } from '../bench/fake-engine.ts';
import { Cut, Failed, Process, type Mishap } from './process.ts';
import { scripts } from './scripts.ts';
import { Server, type Servers } from './servers.ts';
import { isEnd, start } from './start.ts';
import type { WalRecord } from './wal.ts';

export type ProgramOptions = {
  readonly cloneTime: () => number;
  /** What befalls a script that is about to begin. */
  readonly mishapOf: (script: string, container: FakeContainer) => Mishap | undefined;
  readonly trace: (text: string) => void;
  readonly onServer: (server: Server) => void;
  /** What a node wrote and its leader has not is cut off. */
  readonly onRewind: (container: FakeContainer, cut: readonly WalRecord[]) => void;
};

const isNode = ({ spec }: FakeContainer): boolean => spec.labels['pgherd.kind'] === 'node';

/** The programs of a world in which servers take their time. */
export function programsOf(servers: Servers, options: ProgramOptions): FakePrograms {
  return {
    start: (container, around) => {
      servers.around = around;
      return isNode(container) ? startNode(servers, container, around, options) : startProcess(container, around);
    },
    exec: (container, command, around) => run(servers, container, command, around, options),
    stream: (container, { command }, _around, signal, connections) => {
      const lines = new FakeQueue<string>();
      let isOver = false;
      const release = holdOpen(signal, connections, () => {
        isOver = true;
        container.attached.delete(killed);
        lines.close();
      });
      const killed = (): void => {
        lines.end();
        release();
      };
      container.attached.add(killed);
      if (baseName(command[1] ?? '') === 'heartbeat') {
        let connected: Server | undefined;
        let hungSince = Infinity;
        const beat = (): void => {
          if (isOver) return;
          const server = servers.of(container);
          // A leader that takes no new connections is given up by the script.
          const isLeader = container.view.link(`${homeOf(container)}/serves`) === 'lead';
          hungSince = server?.isHung === true && isLeader ? Math.min(hungSince, servers.clock.now) : Infinity;
          if ((connected !== undefined && connected !== server) || servers.clock.now - hungSince > 8000) {
            killed();
            return;
          }
          if (server?.isUp === true && !server.isHung) {
            connected = server;
            lines.push(JSON.stringify(server.report()));
          }
          servers.clock.after(connected === undefined ? 100 : 500, beat);
        };
        beat();
      }
      return { lines, stderr: () => '', close: release };
    },
    pathExists: (container, path) => {
      const database = servers.databases.get(container.volumes[0]?.volume.name ?? '');
      if (path.endsWith('/standby.signal')) return database?.isStandby === true;
      return path.endsWith('/PG_VERSION') && database !== undefined;
    },
    isHealthy: (container, around) => {
      if (!isNode(container)) return isHealthy(container, around);
      const server = servers.of(container);
      if (server?.isUp !== true || server.isHung) return false;
      if (server.database.isStandby) return server.receiver !== undefined;
      return container.view.read(`${homeOf(container)}/config/role`)?.startsWith('follow') !== true;
    },
  };
}

/** Takes up the server of a container that runs, in a world that was copied. */
export function resumeNode(servers: Servers, container: FakeContainer, options: ProgramOptions): void {
  const process = processOf(servers, container);
  container.process = process;
  const database = servers.databases.get(container.volumes[0]?.volume.name ?? '');
  if (database === undefined) return;
  const server = new Server(servers, container, database, homeOf(container), process);
  options.onServer(server);
  container.attached.add(() => {
    server.end();
  });
  server.load();
  server.open();
}

/** Where pgherd keeps what it needs in the volume of a node. */
export function homeOf(container: FakeContainer): string {
  return `${container.volumes[0]?.target ?? ''}/pgherd`;
}

function processOf(servers: Servers, container: FakeContainer): FakeProcess {
  const process: { -readonly [K in keyof FakeProcess]: FakeProcess[K] } = {
    stopCode: 137,
    stop: async (seconds) => {
      const server = servers.of(container);
      if (server === undefined) return;
      server.isStopping = true;
      const end = servers.clock.now + seconds * 1000;
      const hangs = (): boolean => server.isAlive && server.isHung;
      if (!hangs()) {
        server.phase = 'ending';
        delete process.serves;
        server.endSessions();
        await servers.clock.sleep(120);
        const last = server.isAlive && !server.database.isStandby ? server.write('shutdown', 120).lsn : 0;
        server.isShut = true;
        const isSent = (): boolean =>
          !server.isArchiverHung &&
          [...server.senders.values()].every(({ standby, flushed }) => standby === undefined || flushed >= last);
        while (server.isAlive && !isSent() && servers.clock.now < end) await servers.clock.sleep(20);
        if (isSent()) process.stopCode = 0;
      } else while (hangs() && servers.clock.now < end) await servers.clock.sleep(200);
    },
  };
  return process;
}

function startNode(
  servers: Servers,
  container: FakeContainer,
  around: Surroundings,
  options: ProgramOptions,
): FakeProcess | undefined {
  const script = container.spec.entrypoint?.[1] ?? container.spec.command?.[0] ?? '';
  if (container.view.read(script) === undefined) {
    container.say(`sh: 0: cannot open ${script}: No such file`);
    around.exit(container, 2);
    return undefined;
  }
  const own = processOf(servers, container);
  const process = new Process(servers, container, script, options.mishapOf('start', container));
  const context = {
    servers,
    newSystem: around.newSystemIdentifier,
    cloneTime: options.cloneTime,
    onRewind: (cut: readonly WalRecord[]) => {
      options.onRewind(container, cut);
    },
    serve: (database: Server['database']) => {
      const server = new Server(servers, container, database, process.home, own);
      options.onServer(server);
      container.attached.add(() => {
        server.end();
      });
      return server;
    },
  };
  void start(process, context).then(
    () => {
      process.end();
    },
    (error: unknown) => {
      process.end();
      if (!isEnd(error)) throw error;
      if (process.isKilled) return;
      container.say(`pgherd start: ${error.message}`);
      options.trace(`${container.name}: start ends: ${error.message}`);
      servers.of(container)?.end();
      around.exit(container, error instanceof Failed ? error.code : 137);
    },
  );
  return own;
}

async function run(
  servers: Servers,
  container: FakeContainer,
  command: ExecCommand,
  around: Surroundings,
  options: ProgramOptions,
): Promise<ExecResult> {
  if (!isNode(container)) return runOther(servers, container, command, around);
  const words = plain(command.command);
  const [program = '', path = '', ...args] = words;
  const name = program === 'sh' ? baseName(path) : program;
  const isScript = program === 'sh';
  if (isScript && container.view.read(path) === undefined) {
    return { code: 2, stdout: '', stderr: `sh: 0: cannot open ${path}: No such file\n` };
  }
  const at = isScript ? path : `${homeOf(container)}/config/health`;
  const set = (name: string): string | undefined =>
    command.command.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const [epoch, seconds] = [set('PGHERD_EPOCH'), set('PGCONNECT_TIMEOUT')];
  const given = epoch === undefined ? undefined : Number(epoch);
  const timeout = seconds === undefined ? Infinity : Number(seconds) * 1000;
  const process = new Process(servers, container, at, options.mishapOf(name, container), given);
  try {
    const script = isScript ? scripts[name] : undefined;
    const stdout =
      script === undefined
        ? await runProgram(process, program, words, command.input ?? '', timeout)
        : await script(process, args, command.input ?? '');
    return { code: 0, stdout: `${stdout}\n`, stderr: '' };
  } catch (error) {
    if (error instanceof Cut) return { code: 137, stdout: '', stderr: '' };
    if (!(error instanceof Failed)) throw error;
    if (isScript && name !== 'health') options.trace(`${container.name}: ${name} fails: ${error.message}`);
    return { code: error.code, stdout: '', stderr: `${error.message}\n` };
  } finally {
    process.end();
  }
}

// As `serverProgram` makes it, with what is set in its environment.
function plain(words: readonly string[]): readonly string[] {
  if (words[0] === 'env') return plain(words.slice(2));
  if (words[0] === 'sh' && words[1] === '-c' && words[2]?.endsWith('exec "$0" "$@"') === true) return words.slice(3);
  return words;
}

async function runProgram(
  process: Process,
  program: string,
  words: readonly string[],
  input: string,
  timeout: number,
): Promise<string> {
  if (program === 'pg_isready') {
    await process.step();
    const { servers, container } = process;
    const host = words[words.indexOf('-h') + 1] ?? '';
    const server = servers.of(host === '127.0.0.1' ? container : servers.around?.reach(container, host));
    const isRejecting = server?.phase === 'starting' || server?.phase === 'ending';
    if (isRejecting && !server.isHung) throw new Failed(1, 'rejecting connections');
    if (server === undefined) throw new Failed(2, 'no response');
    if (!server.isHung) return '';
    await process.step(3000);
    throw new Failed(2, 'no response');
  }
  if (program !== 'psql') throw new Failed(126, `no such program: ${program}`);
  const statements = words.filter((_, index) => words[index - 1] === '-c');
  const server = await process.connect('superuser', timeout);
  await process.step();
  if (!server.isAlive) throw new Failed(2, 'the server ended');
  if (statements.includes(reportSql)) return JSON.stringify(server.report());
  const sql = [...statements, input].join('\n');
  if (server.database.isStandby && !sql.includes('pg_stat_wal_receiver'))
    throw new Failed(3, 'cannot execute in recovery');
  if (sql.includes('pg_current_wal_insert_lsn')) return String(server.database.lsn);
  const ended = /application_name = '([^']*)'/.exec(sql)?.[1];
  if (ended !== undefined) server.endSenders(ended);
  const wanted = /ARRAY\[(.*?)\]::text\[\]/.exec(sql)?.[1];
  if (wanted !== undefined) {
    server.database.slots.clear();
    for (const [, name = ''] of wanted.matchAll(/'([^']*)'/g)) server.database.slots.add(name);
  }
  if (sql === 'CHECKPOINT\n') server.write('other', 120);
  return '';
}

async function runOther(
  servers: Servers,
  container: FakeContainer,
  command: ExecCommand,
  around: Surroundings,
): Promise<ExecResult> {
  const end = servers.clock.now + (command.deadline ?? 60_000);
  for (;;) {
    await servers.clock.sleep(10);
    if (!container.isUp) return { code: 137, stdout: '', stderr: '' };
    const ran = runCommand(container, command, around);
    if (!('waiting' in ran)) return ran;
    if (servers.clock.now >= end || command.signal?.aborted === true)
      return { code: 1, stdout: '', stderr: ran.waiting };
    await servers.clock.sleep(200);
  }
}
