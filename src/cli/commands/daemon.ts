import { spawn } from 'node:child_process';
import { pino } from 'pino';
import { Daemon } from '../../daemon/daemon.ts';
import type { Log } from '../../daemon/log.ts';
import { findStateDir } from '../../daemon/state-dir.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { forJson, neutralise } from '../neutral.ts';
import type { Output } from '../output.ts';
import { renderLogLine } from '../render/log.ts';
import { connect, readText, type GlobalOptions } from '../session.ts';
import { world } from './reconcile.ts';

export type DaemonFlags = GlobalOptions & {
  readonly parallel: number;
  readonly stateDir?: string;
  readonly poll?: boolean;
  /** Seconds. */
  readonly resync: number;
};

export async function daemon(paths: readonly string[], flags: DaemonFlags, output: Output): Promise<ExitCode> {
  const log = await createLog(flags, output);
  const controller = new AbortController();
  const stateDir = findStateDir(flags.stateDir, process.env);
  const notify = createNotify();
  const kept = new Daemon({
    paths,
    connect: () => connect(flags, output),
    stateDir,
    polling: flags.poll === true,
    resync: flags.resync * 1000,
    parallel: flags.parallel,
    world,
    env: process.env,
    readText,
    log,
    signal: controller.signal,
    onReady: () => {
      log.info({ stateDir }, 'ready: every cluster has been looked at');
      notify('READY=1');
    },
  });
  const problems = await kept.load();
  if (problems.length > 0) {
    for (const problem of problems) output.note(problem);
    await kept.stop();
    return exitCodes.error;
  }
  listenForSignals(controller, kept, log, notify);
  await kept.run();
  await kept.stop();
  log.info({}, 'stopped');
  return exitCodes.done;
}

// The first signal ends it in order, the second at once.
function listenForSignals(controller: AbortController, kept: Daemon, log: Log, notify: Notify): void {
  const stop = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143);
    log.info({ signal: name }, 'stopping: steps under way are finished (again to stop at once)');
    notify('STOPPING=1');
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', () => {
    notify('RELOADING=1', `MONOTONIC_USEC=${String(process.hrtime.bigint() / 1000n)}`);
    void kept.reload().then(() => {
      notify('READY=1');
    });
  });
}

type Notify = (...variables: readonly string[]) => void;

/**
 * Tells systemd, where it asked to be told: one message after the other, since a READY that came before its RELOADING
 * would leave the unit reloading for ever. As variables, because the options `--stopping` and `--reloading` are newer.
 * Source: https://www.freedesktop.org/software/systemd/man/sd_notify.html
 */
function createNotify(): Notify {
  if (process.env['NOTIFY_SOCKET'] === undefined) return () => undefined;
  let told = Promise.resolve();
  return (...variables) => {
    told = told.then(() => tell(variables));
  };
}

// Without the program systemd learns nothing, which its own time limit tells the operator.
function tell(variables: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    spawn('systemd-notify', variables, { stdio: 'ignore' })
      .on('error', () => {
        resolve();
      })
      .on('close', () => {
        resolve();
      });
  });
}

/** Levels by name, not by number. */
const formatters = { level: (level: string) => ({ level }) };

/** JSON lines, or text on a terminal. */
async function createLog(flags: GlobalOptions, output: Output): Promise<Log> {
  const options = { base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime, formatters };
  const hooks = { streamWrite: forJson };
  if (flags.format === 'json' || !process.stdout.isTTY) {
    const log: Log = pino({ ...options, hooks }, pino.destination({ dest: 1, sync: true }));
    return log;
  }
  const { default: pretty } = await import('pino-pretty');
  const text = pretty({
    colorize: output.colour,
    sync: true,
    hideObject: true,
    ignore: 'pid',
    translateTime: 'SYS:HH:MM:ss.l',
    messageFormat: (record) => neutralise(renderLogLine(record)),
  });
  const log: Log = pino(options, text);
  return log;
}
