/**
 * Writes the README's tables of error codes and of standstills, from those in the source.
 *
 *   node src/build/error-table.mjs           writes it
 *   node src/build/error-table.mjs --check   writes nothing, exits 1 if it is stale
 */
import { build } from 'esbuild';
import { readFile, writeFile } from 'node:fs/promises';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

const { errorCodes, blockCodes, diagnosticCodes, standstills } = await load(`
  export { errorCodes } from './src/base/error-codes.ts';
  export { blockCodes } from './src/reconcile/block-codes.ts';
  export { diagnosticCodes } from './src/topology/diagnostic-codes.ts';
  export { standstills } from './src/reconcile/standstills.ts';
`);
const path = `${root}README.md`;
const before = await readFile(path, 'utf8');
const codes = [
  renderCodes('Operations that failed', errorCodes),
  renderCodes('Changes that are blocked', blockCodes),
  renderCodes('Topology files', diagnosticCodes),
];
const after = withBlock(
  withBlock(before, 'error codes', codes.join('\n\n')),
  'standstills',
  renderStandstills(standstills),
);
if (before !== after && process.argv.includes('--check')) {
  process.stderr.write('stale: the tables in README.md\nrun: npm run generate\n');
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

function withBlock(/** @type {string} */ text, /** @type {string} */ name, /** @type {string} */ rendered) {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`README.md has no place for the ${name}: ${start} … ${end}`);
  // The formatter would widen every row to the longest.
  const block = `<!-- prettier-ignore-start -->\n\n${rendered}\n\n<!-- prettier-ignore-end -->`;
  return `${text.slice(0, from)}${start}\n\n${block}\n\n${text.slice(to)}`;
}

function renderCodes(/** @type {string} */ title, /** @type {object} */ table) {
  const rows = Object.entries(table).map(([code, { means, remedy }]) => [`\`${code}\``, means, remedy]);
  return `**${title}**\n\n${renderTable(['code', 'means', 'what to do'], rows)}`;
}

function renderStandstills(/** @type {object} */ table) {
  const rows = Object.entries(table).map(([state, { means, ends, blocked = [] }]) => {
    const codes = blocked.map((/** @type {string} */ code) => `\`${code}\``).join(', ');
    return [`\`${state}\``, means, ends, codes];
  });
  return renderTable(['state', 'means', 'what ends it', 'blocked where that cannot be'], rows);
}

function renderTable(/** @type {string[]} */ titles, /** @type {string[][]} */ rows) {
  const line = (/** @type {string[]} */ cells) => ['', ...cells, ''].join(' | ').trim();
  return [line(titles), line(titles.map(() => '---')), ...rows.map((row) => line(row.map(escape)))].join('\n');
}

/** Outside of code a table takes `<`, `|` and `*` for its own. */
function escape(/** @type {string} */ text) {
  return text
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith('`') ? part.replaceAll('|', '\\|') : part.replace(/[<|*]/g, '\\$&')))
    .join('');
}
