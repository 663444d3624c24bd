import { spawn, type ChildProcess } from 'node:child_process';

export type Result = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

export type RunOptions = {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Written to standard input, which is closed afterwards, also without; `open`: it stays open and empty. */
  readonly input?: string | { readonly open: true };
  /** The process is killed after so many milliseconds, and `code` is null. */
  readonly timeoutMs?: number;
};

/** A process under way. */
export type Running = {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Settles when it has ended and everything it printed is read; `code` is null after a signal. */
  readonly done: Promise<Result>;
};

export function start(command: string, args: readonly string[], options: RunOptions = {}): Running {
  const child = spawn(command, args, {
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: options.timeoutMs,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined);
  if (typeof options.input !== 'object') child.stdin.end(options.input ?? '');
  const done = new Promise<Result>((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, stdout: () => stdout, stderr: () => stderr, done };
}

/** Runs to the end, whatever the exit code. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
  return start(command, args, options).done;
}

/** Runs to the end and gives standard output; throws with everything printed unless it exits 0. */
export async function output(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, options);
  if (code === 0) return stdout;
  const ended = code === null ? `was killed (limit ${String(options.timeoutMs)} ms)` : `exited ${String(code)}`;
  throw new Error(`${[command, ...args].join(' ')} ${ended}\n${stdout}${stderr}`);
}
