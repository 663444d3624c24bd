import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { engineHost } from '../e2e/support/engine.ts';

/** A psql inside a node that goes on as long as its server does, and is asked again and again. */
export type SocketSession = {
  readonly isOpen: () => boolean;
  /** Runs one statement and gives its rows; undefined if it failed, the session ended or `limitMs` passed. */
  ask(sql: string, limitMs: number): Promise<readonly string[] | undefined>;
  /** Ends it at once; settles when its process has ended. */
  close(): Promise<void>;
};

const mark = 'end-of-answer';

/**
 * Opens psql by the server's socket as superuser. Whether there is a server is found by asking: a psql that reaches none
 * ends, and so does this one.
 */
export async function openSocketSession(container: string, options: string): Promise<SocketSession> {
  const flags = ['--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--username=postgres', '--dbname=postgres'];
  const command = ['exec', '--interactive', '--env', `PGOPTIONS=${options}`, container, 'psql', ...flags];
  const env = { ...process.env, DOCKER_HOST: await engineHost() };
  const child = spawn('docker', command, { env, stdio: ['pipe', 'pipe', 'ignore'] });
  let isOpen = true;
  let rows: string[] = [];
  let answer: (rows: readonly string[] | undefined) => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve()).once('close', () => resolve());
  });
  void ended.then(() => {
    isOpen = false;
    answer(undefined);
  });
  child.stdin.on('error', () => undefined);
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line === mark) answer(rows);
    else rows.push(line);
  });

  const close = async (): Promise<void> => {
    isOpen = false;
    child.kill('SIGKILL');
    await ended;
  };
  const ask = (sql: string, limitMs: number): Promise<readonly string[] | undefined> =>
    new Promise((resolve) => {
      rows = [];
      const timer = setTimeout(() => {
        void close();
        resolve(undefined);
      }, limitMs);
      answer = (found) => {
        clearTimeout(timer);
        resolve(found?.length === 0 ? undefined : found);
      };
      if (isOpen) child.stdin.write(`${sql};\n\\echo ${mark}\n`);
      else answer(undefined);
    });
  return { isOpen: () => isOpen, ask, close };
}
