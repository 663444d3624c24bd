/**
 * Writes the README's table of error codes, from the tables in the source.
 *
 *   node src/build/error-table.mjs           writes it
 *   node src/build/error-table.mjs --check   writes nothing, exits 1 if it is stale
 */
import { build } from 'esbuild';
import { readFile, writeFile } from 'node:fs/promises';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const [start, end] = ['<!-- error codes -->', '<!-- /error codes -->'];

const { errorCodes, blockCodes, diagnosticCodes } = await load(`
  export { errorCodes } from './src/base/error-codes.ts';
  export { blockCodes } from './src/reconcile/block-codes.ts';
  export { diagnosticCodes } from './src/topology/diagnostic-codes.ts';
`);
const path = `${root}README.md`;
const before = await readFile(path, 'utf8');
const after = withTables(before, [
  ['Operations that failed', errorCodes],
  ['Changes that are blocked', blockCodes],
  ['Topology files', diagnosticCodes],
]);
if (before !== after && process.argv.includes('--check')) {
  process.stderr.write('stale: the error codes in README.md\nrun: npm run generate\n');
  process.exitCode = 1;
} else if (before !== after) {
  await writeFile(path, after);
}

/** The module that this source is, TypeScript that Node cannot import. */
async function load(/** @type {string} */ contents) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    format: 'esm',
    write: false,
    logLevel: 'warning',
  });
  return await import(`data:text/javascript,${encodeURIComponent(outputFiles[0]?.text ?? '')}`);
}

function withTables(/** @type {string} */ text, /** @type {[string, object][]} */ tables) {
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`README.md has no place for the error codes: ${start} … ${end}`);
  const rendered = tables.map(([title, table]) => renderTable(title, table)).join('\n\n');
  // The formatter would widen every row to the longest.
  const block = `<!-- prettier-ignore-start -->\n\n${rendered}\n\n<!-- prettier-ignore-end -->`;
  return `${text.slice(0, from)}${start}\n\n${block}\n\n${text.slice(to)}`;
}

function renderTable(/** @type {string} */ title, /** @type {object} */ table) {
  const rows = Object.entries(table).map(([code, { means, remedy }]) =>
    ['', `\`${code}\``, escape(means), escape(remedy), ''].join(' | ').trim(),
  );
  return [`**${title}**`, '', '| code | means | what to do |', '| --- | --- | --- |', ...rows].join('\n');
}

/** Outside of code a table takes `<`, `|` and `*` for its own. */
function escape(/** @type {string} */ text) {
  return text
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith('`') ? part.replaceAll('|', '\\|') : part.replace(/[<|*]/g, '\\$&')))
    .join('');
}
