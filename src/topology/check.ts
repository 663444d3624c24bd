import { suggest } from '../base/suggest.ts';
import type { Issue } from './diagnostic.ts';
import { formatPath, maySayPassword, shorten, type Path } from './path.ts';
import type { TopologyFile } from './types.gen.ts';
import { validate, type SchemaError } from './validate.gen.js';

export type Checked = {
  /** The value without what is wrong, where that leaves something whole: later checks find more in the same run. */
  readonly file: TopologyFile | undefined;
  readonly issues: readonly Issue[];
  /** Paths of what was left out. */
  readonly removed: readonly Path[];
};

/**
 * Checks a value against the schema: one issue for each mistake, as a sentence. Values at `interpolated` paths are
 * text, and are taken as a number or a truth value where the schema wants one.
 */
export function checkShape(value: unknown, interpolated: ReadonlySet<string>): Checked {
  let errors = findErrors(value);
  for (const error of errors) convertText(value, error, interpolated);
  if (errors.length > 0 && interpolated.size > 0) errors = findErrors(value);

  const issues = new Map<string, Issue>();
  const removed: Path[] = [];
  for (const error of errors) {
    const issue = describeError(toPath(value, error.instancePath), error, value);
    const key = formatPath(issue.path);
    if (!issues.has(key)) issues.set(key, issue);
    removed.push(issue.path);
  }
  for (const path of removed) removeAt(value, path);
  return { file: validate(value) ? value : undefined, issues: [...issues.values()], removed };
}

function findErrors(value: unknown): readonly SchemaError[] {
  return validate(value) ? [] : (validate.errors ?? []);
}

function describeError(path: Path, error: SchemaError, root: unknown): Issue {
  const { keyword, params, parentSchema } = error;
  if (keyword === 'additionalProperties')
    return describeUnknownKey(path, String(params['additionalProperty']), parentSchema);
  if (keyword === 'required') {
    const key = String(params['missingProperty']);
    return {
      path: [...path, key],
      at: 'key',
      code: 'missing',
      message: 'missing',
      hint: `every ${nameOwner(path)} needs "${key}"`,
    };
  }
  const expected = readText(parentSchema['x-expected']) ?? 'something else';
  const secret = path.at(-1) === 'password' || path.includes('password');
  const got = secret && typeof error.data === 'string' ? 'a literal' : describeValue(error.data, error);
  const hint = suggestRemedy(error, path, root);
  return {
    path,
    at: 'value',
    code: keyword === 'type' ? 'type' : 'value',
    message: `expected ${expected}, got ${got}`,
    ...(hint === undefined ? {} : { hint }),
    ...(secret ? { secret } : {}),
  };
}

/** What a group has once, and its nodes have in common. */
const ofTheGroup: readonly string[] = ['user', 'database', 'password', 'init_scripts'];

function isNode(path: Path): boolean {
  return path.at(-1) === 'primary' || path.at(-2) === 'replicas';
}

function describeUnknownKey(path: Path, key: string, schema: SchemaError['parentSchema']): Issue {
  const named = { path: [...path, key], at: 'key', secret: maySayPassword([key]) } as const;
  const patterns = schema['patternProperties'];
  if (patterns !== undefined) {
    const message = `${JSON.stringify(shorten(key))} is not the name of a parameter`;
    return { ...named, code: 'unknown-key', message, hint: 'letters, digits and "_" only' };
  }
  const known = Object.keys(asRecord(schema['properties']));
  const near = suggest(key, known);
  let hint = near === undefined ? `known here: ${known.join(', ')}` : `did you mean "${near}"?`;
  if (isNode(path) && ofTheGroup.includes(key)) hint = 'it belongs to the group: put it under "postgres"';
  return { ...named, code: 'unknown-key', message: `unknown key ${JSON.stringify(shorten(key))}`, hint };
}

function suggestRemedy(error: SchemaError, path: Path, root: unknown): string | undefined {
  const { data, parentSchema } = error;
  const types = [parentSchema['type']].flat();
  if (path.at(-1) === 'password') return 'keep the password in a file or a variable, or let pgherd generate it';
  if (data === null) return 'give it a value, or remove the key';
  if (typeof data === 'number' && types.includes('string')) {
    if (!types.includes('integer')) return types.includes('number') ? undefined : 'put it in quotes';
    return data > 0 ? 'a number is whole bytes; a fraction needs a unit, such as 1.5GB' : undefined;
  }
  if (typeof data === 'string' && error.keyword === 'type') {
    if (data.trim() !== '' && Number.isFinite(Number(data)))
      return types.some((type) => type === 'integer' || type === 'number') ? 'remove the quotes' : undefined;
  }
  if (path.at(-2) === 'hba' && typeof data === 'string' && /^\s*local\b/.test(data))
    return "local lines are pgherd's own: its probes and health checks come in that way";
  const choices = parentSchema['enum'];
  if (typeof data === 'string' && Array.isArray(choices)) {
    const near = suggest(
      data,
      choices.filter((choice) => typeof choice === 'string'),
    );
    return near === undefined ? undefined : `did you mean "${near}"?`;
  }
  return path.length === 0 && Array.isArray(root) ? 'one cluster a file, without a list around it' : undefined;
}

function describeValue(value: unknown, error: SchemaError): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) {
    return error.keyword === 'minItems' || error.keyword === 'maxItems' ? `${value.length} of them` : 'a list';
  }
  if (typeof value === 'object') return error.keyword === 'type' ? 'a mapping' : describeKeys(Object.keys(value));
  // a number out of its range is quoted like any other text; one of the wrong type is called what it is
  const wantsNumber = [error.parentSchema['type']].flat().some((type) => type === 'integer' || type === 'number');
  if (typeof value === 'number') return wantsNumber ? `"${value}"` : `the number ${value}`;
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  const text = readText(value) ?? typeof value;
  return JSON.stringify(shorten(text));
}

function describeKeys(keys: readonly string[]): string {
  return keys.length === 0 ? 'an empty mapping' : keys.join(' and ');
}

function nameOwner(path: Path): string {
  return path.includes('balancers') ? 'balancer' : 'topology';
}

/** The path of a JSON pointer; whether a part is a position or a key shows only in the value. */
function toPath(root: unknown, pointer: string): Path {
  const path: (string | number)[] = [];
  let here = root;
  for (const escaped of pointer.split('/').slice(1)) {
    const part = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
    path.push(Array.isArray(here) ? Number(part) : part);
    here = asRecord(here)[part];
  }
  return path;
}

function convertText(root: unknown, error: SchemaError, interpolated: ReadonlySet<string>): void {
  const path = toPath(root, error.instancePath);
  const { data, keyword, parentSchema } = error;
  if (typeof data !== 'string' || keyword !== 'type' || !interpolated.has(formatPath(path))) return;
  const types = [parentSchema['type']].flat();
  const numeric = types.includes('integer') || types.includes('number');
  if (numeric && /^-?[0-9]+(\.[0-9]+)?$/.test(data)) setAt(root, path, Number(data));
  else if (types.includes('boolean') && /^(true|false)$/.test(data)) setAt(root, path, data === 'true');
}

function setAt(root: unknown, path: Path, value: unknown): void {
  const key = path.at(-1);
  if (key !== undefined) Reflect.set(findParent(root, path), key, value);
}

/**
 * Takes the value at the path out. Of a list of mappings it leaves an empty one, so that the others keep their
 * positions; of a list of texts nothing stays that could be taken for one of them.
 */
function removeAt(root: unknown, path: Path): void {
  const parent = findParent(root, path);
  const key = path.at(-1);
  if (key === undefined) return;
  if (Array.isArray(parent) && ['balancers', 'replicas'].includes(String(path.at(-2)))) parent[Number(key)] = {};
  else if (Array.isArray(parent)) removeAt(root, path.slice(0, -1));
  else Reflect.deleteProperty(parent, key);
}

/** The mapping or list that holds what the path names; an empty one where something on the way is gone already. */
function findParent(root: unknown, path: Path): object {
  let here = root;
  for (const part of path.slice(0, -1)) here = asRecord(here)[part];
  return asRecord(here);
}

function asRecord(value: unknown): Readonly<Record<string | number, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function readText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
