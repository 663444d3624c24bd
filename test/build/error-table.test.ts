import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { errorCodes, type Explanation } from '../../src/base/error-codes.ts';
import { blockCodes } from '../../src/reconcile/block-codes.ts';
import { diagnosticCodes } from '../../src/topology/diagnostic-codes.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
let readme: string;
let sources: string;

beforeAll(async () => {
  readme = await readFile(`${root}README.md`, 'utf8');
  const files = (await readdir(`${root}src`, { recursive: true })).filter(
    (file) => file.endsWith('.ts') && !/-codes\.ts$|\.gen\.ts$/.test(file),
  );
  sources = (await Promise.all(files.map((file) => readFile(`${root}src/${file}`, 'utf8')))).join('\n');
});

/** The rows of a table of the README: code, meaning, remedy, without what Markdown needs. */
function readTable(title: string): readonly (readonly string[])[] {
  const [, text = ''] = readme.split(`**${title}**\n\n| code | means | what to do |\n| --- | --- | --- |\n`);
  const rows = text.split('\n\n')[0]?.split('\n') ?? [];
  return rows.map((row) =>
    row
      .slice(2, -2)
      .split(' | ')
      .map((cell) => cell.replace(/\\([<|*])/g, '$1')),
  );
}

describe.each<readonly [string, Readonly<Record<string, Explanation>>]>([
  ['Operations that failed', errorCodes],
  ['Changes that are blocked', blockCodes],
  ['Topology files', diagnosticCodes],
])('%s', (title, table) => {
  it('stand in the README as in the source', () => {
    expect(readTable(title)).toEqual(
      Object.entries(table).map(([code, { means, remedy }]) => [`\`${code}\``, means, remedy]),
    );
  });

  it('have one line each for what it means and what to do', () => {
    for (const line of Object.values(table).flatMap(({ means, remedy }) => [means, remedy])) {
      expect(line).toMatch(/^[^\n]{3,119}[^.\n]$/);
    }
  });

  it('are all in use', () => {
    // Of what is claimed twice, the code is put together of what it is.
    const isUsed = (code: string): boolean =>
      sources.includes(`'${code}'`) || sources.includes(`'${code.replace(/^duplicate-/, '')}'`);
    expect(Object.keys(table).filter((code) => !isUsed(code))).toEqual([]);
  });
});
