#!/usr/bin/env node
// Derives everything that follows from schemas/topology.schema.json: the types of the raw file, the validator, the
// defaults, the list of field paths, and the reference table of the README.
//
//   node src/topology/generate.mjs           writes them
//   node src/topology/generate.mjs --check   writes nothing, exits 1 if one of them is stale
import { readFile, writeFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import standaloneCode from 'ajv/dist/standalone/index.js';
import { compile } from 'json-schema-to-typescript';

const root = new URL('../../', import.meta.url);
// patternErrorMessage is for editors: https://github.com/redhat-developer/yaml-language-server
const annotations = ['x-expected', 'x-change', 'x-default', 'patternErrorMessage'];
const changes = ['live', 'restart', 'recreate', 'none'];
const header = '// Generated from schemas/topology.schema.json by src/topology/generate.mjs; do not edit.\n';

const schemaText = await readFile(new URL('schemas/topology.schema.json', root), 'utf8');
const schema = JSON.parse(schemaText);
const outputs = {
  'src/topology/types.gen.ts': await generateTypes(),
  'src/topology/validate.gen.js': generateValidator(),
  'src/topology/validate.gen.d.ts': generateValidatorTypes(),
  'src/topology/fields.gen.ts': generateFields(),
  'src/topology/schema.gen.ts': generateSchemaText(),
};
const readme = await renderReadme();
if (readme !== undefined) outputs['README.md'] = readme;

const stale = [];
for (const [path, text] of Object.entries(outputs)) {
  const url = new URL(path, root);
  if ((await readFile(url, 'utf8').catch(() => undefined)) === text) continue;
  stale.push(path);
  if (!process.argv.includes('--check')) await writeFile(url, text);
}
if (process.argv.includes('--check') && stale.length > 0) {
  process.stderr.write(`stale: ${stale.join(', ')}\nrun: node src/topology/generate.mjs\n`);
  process.exitCode = 1;
} else {
  process.stdout.write(stale.length > 0 ? `written: ${stale.join(', ')}\n` : 'up to date\n');
}

/** The schema to the byte, so that `pgherd schema` needs no file beside the program. */
function generateSchemaText() {
  const lines = schemaText.split('\n').map((line) => `  ${JSON.stringify(line)},\n`);
  return `${header}\nexport const schemaText = [\n${lines.join('')}].join('\\n');\n`;
}

/** A copy of the schema without what neither validation nor messages need. */
function strip(value, drop) {
  if (Array.isArray(value)) return value.map((item) => strip(item, drop));
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([key, member]) => !drop.includes(key) || typeof member === 'object');
  return Object.fromEntries(
    kept.filter(([key]) => key !== 'examples' && key !== 'default').map(([key, member]) => [key, strip(member, drop)]),
  );
}

function generateTypes() {
  return compile(strip(schema, ['title', '$id', ...annotations]), 'TopologyFile', {
    additionalProperties: false,
    bannerComment: header.trimEnd(),
    // without it a list of 1 to 200 becomes a union of 200 tuples
    ignoreMinAndMaxItems: true,
    style: { printWidth: 120, singleQuote: true },
  });
}

function generateValidator() {
  const ajv = new Ajv2020({
    allErrors: true,
    allowUnionTypes: true,
    inlineRefs: false,
    messages: false,
    strict: true,
    verbose: true,
    code: { source: true, esm: true, lines: false },
  });
  ajv.addVocabulary(annotations);
  const stripped = strip(schema, ['title', '$id', 'description', 'x-change', 'x-default', 'patternErrorMessage']);
  const code = standaloneCode(ajv, ajv.compile(stripped));
  // start-up time: the validator stands alone
  if (/\brequire\(|^import /m.test(code)) throw new Error('the validator needs a run-time import: avoid the keyword');
  return `${header}${code}\n`;
}

function generateValidatorTypes() {
  return `${header}import type { TopologyFile } from './types.gen.ts';

export type SchemaError = {
  /** JSON pointer to the value. */
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly parentSchema: Readonly<Record<string, unknown>>;
  readonly data: unknown;
};

export declare const validate: {
  (data: unknown): data is TopologyFile;
  errors?: readonly SchemaError[] | null;
};
export default validate;
`;
}

/** Every field in the order of the schema: its path, and its schema with references followed. */
function listFields(node = schema, path = '', fields = []) {
  for (const [key, raw] of Object.entries(node.properties ?? {})) {
    const field = resolve(raw);
    const at = path === '' ? key : `${path}.${key}`;
    fields.push({ path: at, required: (node.required ?? []).includes(key), field });
    const items = field.items === undefined ? undefined : resolve(field.items);
    listFields(field, at, fields);
    if (items?.properties !== undefined) listFields(items, `${at}[]`, fields);
  }
  return fields;
}

function resolve(node) {
  if (node.$ref === undefined) return node;
  const { $ref, ...own } = node;
  return { ...resolve(schema.$defs[$ref.replace('#/$defs/', '')]), ...own };
}

/** Editors say of a pattern what `validate` says. */
function checkPatterns(node) {
  if (typeof node !== 'object' || node === null) return;
  const said = `expected ${node['x-expected']}`;
  if (typeof node.pattern === 'string' && node.patternErrorMessage !== said) {
    throw new Error(`the pattern ${node.pattern} needs the patternErrorMessage ${JSON.stringify(said)}`);
  }
  for (const member of Object.values(node)) checkPatterns(member);
}

function generateFields() {
  checkPatterns(schema);
  const fields = listFields();
  for (const { path, field, required } of fields) {
    const lacks = ['description', 'examples', 'x-change', 'x-expected'].filter((key) => field[key] === undefined);
    if (!required && field.default === undefined && field['x-default'] === undefined) lacks.push('default');
    if (!changes.includes(field['x-change'])) lacks.push(`x-change out of ${changes.join(', ')}`);
    if (lacks.length > 0) throw new Error(`${path} has no ${lacks.join(', ')}`);
  }
  const defaults = {};
  for (const { path, field } of fields) {
    // what stands deeper inside a balancer takes over the defaults of the top level
    if (field.default === undefined || field.type === 'object' || /^balancers\[\]\..*\./.test(path)) continue;
    const keys = path.replaceAll('[]', '').split('.');
    const last = keys.pop();
    let into = defaults;
    for (const key of keys) into = into[key] ??= {};
    into[last] = field.default;
  }
  return `${header}
/** The default of each field that has a constant one. */
export const defaults = ${JSON.stringify(defaults, null, 2)} as const;

/** The path of every field, \`[]\` after a list. */
export const fieldPaths: readonly string[] = ${JSON.stringify(
    fields.map((field) => field.path),
    null,
    2,
  )};
`;
}

/** The README with its reference table renewed, or undefined where there is no place for one. */
async function renderReadme() {
  const text = await readFile(new URL('README.md', root), 'utf8').catch(() => undefined);
  const [start, end] = ['<!-- topology reference -->', '<!-- /topology reference -->'];
  if (text === undefined || !text.includes(start) || !text.includes(end)) return undefined;
  const before = text.slice(0, text.indexOf(start) + start.length);
  // the formatter would widen every row to the longest
  const table = `<!-- prettier-ignore-start -->\n\n${renderTable()}\n\n<!-- prettier-ignore-end -->`;
  return `${before}\n\n${table}\n\n${text.slice(text.indexOf(end))}`;
}

/** Where else a field may stand, as the heading of the table explains it. */
function findLevel(path) {
  if (/^balancers\[\]\.(primary|replicas\[\])\./.test(path)) return 'node';
  if (/^balancers\[\]\.(postgres|replication|failover|rollout)\b/.test(path)) return 'group';
  return path.startsWith('balancers[]') ? 'balancer' : 'cluster';
}

function renderTable() {
  const types = { object: 'mapping', array: 'list', string: 'text' };
  const code = (value) => `\`${(typeof value === 'string' ? value : JSON.stringify(value)).replaceAll('|', '\\|')}\``;
  // the same settings at several levels are one row
  const rows = new Map();
  for (const { path, field, required } of listFields()) {
    const empty = JSON.stringify(field.default) === '{}' || JSON.stringify(field.default) === '[]';
    const fallback = required ? 'required' : (field['x-default'] ?? (empty ? 'none' : code(field.default)));
    const cells = [
      [field.type]
        .flat()
        .map((type) => types[type] ?? type)
        .join(' or '),
      fallback,
      field['x-change'],
      code(field.examples[0]),
      field.description,
    ];
    const tail = path.split('.').at(-1);
    const key = JSON.stringify([tail, cells]);
    const row = rows.get(key) ?? { paths: [], cells };
    row.paths.push(path);
    rows.set(key, row);
  }
  const lines = [...rows.values()].map(({ paths: [first, ...others], cells }) => {
    const also = new Set(others.map(findLevel).filter((level) => level === 'node' || level !== findLevel(first)));
    return `| ${[code(first), [...also].join(', '), ...cells].join(' | ')} |`;
  });
  return [
    'A field may stand in other places *too*, and the innermost wins: for a *group* under `balancers[]` (such as',
    '`balancers[].postgres.image`), for a *node* in `balancers[].primary` and each of `balancers[].replicas[]` (such as',
    '`balancers[].primary.image`), for a *balancer* in `balancers[]` itself (such as `balancers[].memory`). A *change* of',
    'a field is made `live`, by a `restart`, by making the container anew (`recreate`; data stay), or takes `none`.',
    '',
    '| field | too | type | default | change | example | meaning |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}
