import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ROOT } from './support/engine.ts';
import { output, run } from './support/run.ts';

const pgherd = `${process.execPath} ${join(ROOT, 'dist/pgherd.js')}`;
const [enter, down, interrupt] = ['\r', '\u001b[B', '\u0003'];

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgherd-init-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** What `pgherd init` prints at last to a person who gives these answers, and its exit code; then how the terminal is. */
function answer(...answers: readonly (readonly [question: string, keys: string])[]): Promise<string> {
  const script = join(ROOT, 'test/e2e/fixtures/answer-questions.sh');
  const command = `${pgherd} init; print code $?; stty -a`;
  return output('zsh', ['-f', script, command, ...answers.flat()], {
    cwd: folder,
    env: { TERM: 'xterm', NO_COLOR: '1' },
    timeoutMs: 20_000,
  });
}

it('asks on a terminal, says at once what is wrong, and writes what was answered', async () => {
  const end = await answer(
    ['cluster called?', `a b${enter}`],
    ['expected a name of at most 40 letters', `\u0015shop${enter}`],
    ['balancer called?', enter],
    ['Which port', `15432${enter}`],
    ['How many replicas?', `1${enter}`],
    ['image of PostgreSQL?', enter],
    ['Which database', enter],
    ['Which subnet?', enter],
    ['wait for a replica?', `${down}${enter}`],
  );
  expect(end).toContain('topology.yaml: written (cluster shop)');
  expect(end).toMatch(/code 0\r\n/);
  expect(await readdir(folder)).toEqual(['.topology.schema.json', 'topology.yaml']);
  expect(await readFile(join(folder, 'topology.yaml'), 'utf8')).toMatch(
    /cluster_name: shop\n[^]*\n {2}mode: quorum\n[^]*\n {4}port: 15432\n[^]*\n {4}replicas: 1\n$/,
  );
  expect(await output('sh', ['-c', `${pgherd} validate`], { cwd: folder })).toMatch(/cluster shop, 1 group, 2 nodes/);
});

it('leaves nothing behind at Ctrl-C, and the terminal as it was', async () => {
  const end = await answer(['cluster called?', enter], ['balancer called?', interrupt]);
  expect(end).toMatch(/nothing was written\r\ncode 130\r\n/);
  expect(end).toMatch(/ icanon /);
  expect(await readdir(folder)).toEqual([]);
});

it('names its options where there is nobody to ask', async () => {
  const { code, stdout, stderr } = await run('sh', ['-c', `${pgherd} init`], { cwd: folder });
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^error: init asks [^\n]*\n {2}remedy: add --yes [^\n]*--cluster, [^\n]*--quorum\n$/);
  expect(await readdir(folder)).toEqual([]);
});
