import { randomInt } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { TestCluster } from '../e2e/support/cluster.ts';
import { engineHost, ROOT } from '../e2e/support/engine.ts';
import { run } from '../e2e/support/run.ts';

/** What the tour calls its cluster, and the port that it publishes. */
const shown = { cluster: 'shop', port: '19999' };

/** Longer than any of its commands takes. Milliseconds. */
const longest = 120_000;

/**
 * Runs commands one after the other, as a reader would type them in an empty folder, and gives what each printed on
 * standard output. The cluster gets a name and a port of its own, as long as those that are shown.
 */
export async function playTour(commands: readonly string[], place: TestCluster): Promise<readonly string[]> {
  const [port = 0] = await place.ports(1);
  const own = { cluster: newName(), port: String(port) };
  const folder = join(place.directory, 'tour');
  const programs = join(place.directory, 'bin');
  await Promise.all([mkdir(folder), mkdir(programs)]);
  const program = join(programs, 'pgherd');
  await writeFile(program, `#!/bin/sh\nexec "${process.execPath}" "${ROOT}dist/pgherd.js" "$@"\n`);
  await chmod(program, 0o755);
  const env = {
    DOCKER_HOST: await engineHost(),
    PATH: [programs, process.env['PATH'] ?? ''].join(delimiter),
    PGHERD_EXTRA_LABELS: place.run.label,
    XDG_STATE_HOME: join(place.directory, 'state'),
    TZ: 'UTC',
  };
  const outputs: string[] = [];
  for (const command of commands) {
    const text = replaceAll(command, shown, own);
    const { code, stdout, stderr } = await run('bash', ['-c', text], { cwd: folder, env, timeoutMs: longest });
    if (code !== 0) throw new Error(`${text}\nended with ${String(code)}\n${stdout}${stderr}`);
    if (command.startsWith('pgherd init')) await beingPatient(join(folder, 'topology.yaml'));
    outputs.push(
      replaceAll(stdout, own, shown)
        .replace(/[ \t]+$/gm, '')
        .replace(/\n+$/, ''),
    );
  }
  return outputs;
}

// Who leads comes back in place, however slow the machine. The line of a comment is taken, so that all others stay.
async function beingPatient(file: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace(/^# network: .*$/m, 'failover: { delay: 60s }'));
}

type Names = typeof shown;

function replaceAll(text: string, from: Names, to: Names): string {
  return text.replaceAll(from.cluster, to.cluster).replaceAll(from.port, to.port);
}

// Four letters that stand in no word.
function newName(): string {
  const letters = 'bcdfghjkmpqrtvwxz';
  return Array.from({ length: shown.cluster.length }, () => letters.charAt(randomInt(letters.length))).join('');
}
