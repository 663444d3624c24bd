import { constants } from 'node:os';
import { exitByHangup } from '../hangup.ts';
import type { Console } from '../../docker/operator.ts';

/** This process's standard input, output and error, lent to a command elsewhere. */
export type Stdio = {
  /** Hands over standard input, and the size of the terminal where it has one. */
  readonly feed: (to: Console) => void;
  /** Settles when more may come. */
  readonly write: (isStdout: boolean, bytes: Buffer) => Promise<void>;
  /** Calls back at the first signal that ends this process, and says afterwards which exit code that makes. */
  readonly onSignal: (stop: () => void) => () => number | undefined;
  /** Puts everything back. */
  readonly release: () => void;
};

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Whether a person sits at both ends. */
export function isTerminal(): boolean {
  return process.stdin.isTTY && process.stdout.isTTY;
}

/** `terminal`: every key goes to the command, Ctrl-C too. */
export function connectStdio(terminal: boolean): Stdio {
  const { stdin, stdout, stderr } = process;
  const releases: (() => void)[] = [];
  const release = (): void => {
    for (const each of releases.splice(0)) each();
  };
  // Also where something throws that nobody expects.
  process.once('exit', release);
  return {
    feed: (to) => {
      if (terminal) {
        stdin.setRawMode(true);
        releases.push(() => void stdin.setRawMode(false));
        releases.push(followSize(to));
      }
      // It may have ended, or stop reading; what is left is nobody's.
      to.input.on('error', () => undefined);
      stdin.on('error', () => to.input.end());
      stdin.pipe(to.input);
      releases.push(() => {
        stdin.unpipe(to.input);
        stdin.pause();
      });
    },
    write: async (isStdout, bytes) => {
      const stream = isStdout ? stdout : stderr;
      if (!stream.write(bytes)) await drained(stream);
    },
    onSignal: (stop) => {
      let code: number | undefined;
      const listen = (name: NodeJS.Signals): void => {
        if (code !== undefined) process.exit(code);
        code = 128 + constants.signals[name];
        if (name === 'SIGHUP') exitByHangup();
        stop();
      };
      for (const name of signals) process.on(name, listen);
      releases.push(() => {
        for (const name of signals) process.off(name, listen);
      });
      return () => code;
    },
    release,
  };
}

// A stream that is closed never drains.
function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      stream.off('drain', settle).off('close', settle);
      resolve();
    };
    stream.on('drain', settle).on('close', settle);
  });
}

// One after the other: of two that are under way at once, nobody knows which counts.
function followSize({ resize }: Console): () => void {
  const { stdout } = process;
  let isTelling = false;
  let isDue = true;
  const tell = async (): Promise<void> => {
    if (isTelling) return;
    isTelling = true;
    while (isDue) {
      isDue = false;
      // What goes wrong here goes wrong with the command as well, which says so.
      await resize(stdout.columns, stdout.rows).catch(() => undefined);
    }
    isTelling = false;
  };
  const onResize = (): void => {
    isDue = true;
    void tell();
  };
  stdout.on('resize', onResize);
  void tell();
  return () => void stdout.off('resize', onResize);
}
