import { describe, expect, it } from 'vitest';
import { readConsole, withoutVarying, writeConsole } from './console.ts';

const fence = '```';
const page = [
  '# A page',
  '',
  `${fence}console`,
  '$ pgherd version',
  'pgherd 0.1.0',
  '$ pgherd psql -- \\',
  '>   -c "select 1"',
  ' 1',
  '> 2',
  fence,
  'Between.',
  `${fence}yaml`,
  '$ not: a command',
  fence,
  `${fence}console`,
  '$ true',
  fence,
  '',
].join('\n');

describe('console blocks', () => {
  it('are commands, lines that go on with them, and what each prints', () => {
    expect(readConsole(page)).toEqual([
      { command: 'pgherd version', output: 'pgherd 0.1.0' },
      { command: 'pgherd psql -- \\\n  -c "select 1"', output: ' 1\n> 2' },
      { command: 'true', output: '' },
    ]);
  });

  it('are the same page with the same output', () => {
    const outputs = readConsole(page).map(({ output }) => output);
    expect(writeConsole(page, outputs)).toBe(page);
  });

  it('get new output where they stand, and nothing else changes', () => {
    const renewed = writeConsole(page, ['pgherd 0.2.0', '', 'now\nwith two lines']);
    expect(renewed).toBe(
      page
        .replace('pgherd 0.1.0', 'pgherd 0.2.0')
        .replace(' 1\n> 2\n', '')
        .replace('$ true\n', '$ true\nnow\nwith two lines\n'),
    );
  });

  it('must start with a command, and end', () => {
    expect(() => readConsole(`\n${fence}console\noutput\n${fence}\n`)).toThrow('starts with a command');
    expect(() => readConsole(`\n${fence}console\n$ true\n`)).toThrow('never closed');
  });
});

describe('what differs from run to run', () => {
  it.each([
    ['converged, 10 steps done in 2.4 s.', 'converged, STEPS done in DURATION.'],
    ['step  start (365 ms)', 'step start (DURATION)'],
    ['lb1  balancer  172.24.1.10  19999  3m', 'lb1 balancer ADDRESS 19999 AGE'],
    ['lb1  balancer  10.1.1.10    19999  1h2m', 'lb1 balancer ADDRESS 19999 AGE'],
    ['2026-11-23 12:35:27.042704+00 | on', 'TIME | on'],
    ['from 0/3000148 on', 'from LSN on'],
    ['streaming  12 kB', 'streaming SIZE'],
    ['-----+------', '--+--'],
  ])('%s', (text, compared) => {
    expect(withoutVarying(text)).toBe(compared);
  });

  it('leaves what tells one state from another', () => {
    const line = 'lb1-replica2 replica running Healthy 1 streaming';
    expect(withoutVarying(line)).toBe(line);
  });
});
