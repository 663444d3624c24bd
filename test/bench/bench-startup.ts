import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../e2e/support/engine.ts';
import { report } from './figures.ts';

const run = promisify(execFile);
const rounds = Number(process.env['BENCH_STARTUPS'] ?? 40);

/** Start-up of commands that ask no engine, whole process, against bare Node; all of them take turns. */
export async function benchStartup(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'pgherd-bench-'));
  const empty = join(directory, 'empty.mjs');
  await writeFile(empty, '');
  const pgherd = `${ROOT}dist/pgherd.js`;
  const commands = [
    ['node -e 0', ['-e', '0']],
    ['node with an empty module', [empty]],
    ['pgherd --version', [pgherd, '--version']],
    ['pgherd --help', [pgherd, '--help']],
    ['pgherd validate, a file of one cluster', [pgherd, 'validate', `${ROOT}examples/short.yaml`]],
  ] as const;
  const taken = commands.map(([name, args]) => ({ name, args, milliseconds: [] as number[] }));
  for (let count = 0; count < rounds; count += 1) {
    for (const { args, milliseconds } of taken) {
      const started = performance.now();
      await run(process.execPath, args);
      milliseconds.push(performance.now() - started);
    }
  }
  await rm(directory, { recursive: true });
  console.log(`Start-up, whole process, ${String(rounds)} of each in turn`);
  for (const { name, milliseconds } of taken) report(name, milliseconds);
  console.log('');
}
