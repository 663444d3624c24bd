import { isAlias, isMap, isScalar, isSeq, type ParsedNode } from 'yaml';
import type { DiagnosticCode } from './diagnostic-codes.ts';
import type { Issue, Span } from './diagnostic.ts';
import { shorten, type Path } from './path.ts';

/** A parsed value that knows where it stands. */
export type Tree = Span &
  (
    | { readonly kind: 'map'; readonly entries: ReadonlyMap<string, Entry> }
    | { readonly kind: 'list'; readonly items: readonly Tree[] }
    | { readonly kind: 'scalar'; readonly value: string | number | boolean | null }
  );

type Entry = { readonly key: Span; readonly value: Tree };
type Problem = { readonly issue: Issue; readonly span: Span };

/**
 * What a parsed document says, aliases followed (they share a subtree), or the keys that occur twice, or the first thing
 * that is not allowed.
 */
export function buildTree(
  contents: ParsedNode,
  text: string,
  limits: { readonly values: number; readonly aliases: number; readonly errors: number },
): { tree?: Tree; problems: readonly Problem[] } {
  const anchors = new Map<string, { tree: Tree; size: number } | 'open'>();
  const repeated: Problem[] = [];
  let aliases = 0;
  try {
    const { tree, size } = build(contents, []);
    if (size > limits.values) return { problems: [tooLarge(contents)] };
    return repeated.length > 0 ? { problems: repeated.slice(0, limits.errors) } : { tree, problems: [] };
  } catch (error) {
    if (error instanceof Refusal) return { problems: [error.problem] };
    throw error;
  }

  /** The tree, and how many values it has with aliases expanded. */
  function build(node: ParsedNode, path: Path): { tree: Tree; size: number } {
    if (isAlias(node)) {
      aliases++;
      const target = anchors.get(node.source);
      const span = spanOf(node);
      if (target === undefined)
        throw refuse(
          span,
          path,
          'alias',
          `no anchor &${node.source} before this`,
          `write &${node.source} before the value to repeat`,
        );
      if (target === 'open') throw refuse(span, path, 'alias', `*${node.source} holds itself`, 'write the value out');
      if (aliases > limits.aliases) {
        throw refuse(span, path, 'too-many-aliases', `more than ${limits.aliases} aliases`, 'write the values out');
      }
      return target;
    }
    if (node.tag !== undefined) throw refuseTag(node, path);
    const anchor = node.anchor;
    if (anchor !== undefined) anchors.set(anchor, 'open');
    const built = buildPlain(node, path);
    if (built.size > limits.values) throw new Refusal(tooLarge(node));
    if (anchor !== undefined) anchors.set(anchor, built);
    return built;
  }

  function buildPlain(node: ParsedNode, path: Path): { tree: Tree; size: number } {
    const span = spanOf(node);
    if (isScalar(node)) return { tree: { ...span, kind: 'scalar', value: scalarOf(node.value) }, size: 1 };
    if (isSeq(node)) {
      const built = node.items.map((item, index) => build(item, [...path, index]));
      return { tree: { ...span, kind: 'list', items: built.map(({ tree }) => tree) }, size: sum(built) };
    }
    if (!isMap(node)) throw new TypeError('a node that is neither scalar, list nor mapping');
    const entries = new Map<string, Entry>();
    let size = 1;
    for (const pair of node.items) {
      const key = keyOf(pair.key, path);
      const at = spanOf(pair.key);
      if (entries.has(key)) repeated.push(describeRepeated(key, at, path));
      if (pair.value === null) {
        entries.set(key, { key: at, value: { ...at, kind: 'scalar', value: null } });
        continue;
      }
      const built = build(pair.value, [...path, key]);
      size += built.size;
      entries.set(key, { key: at, value: built.tree });
    }
    return { tree: { ...span, kind: 'map', entries }, size };
  }

  function refuseTag(node: ParsedNode, path: Path): Refusal {
    const [tag = '!'] = /!\S*\s*$/.exec(text.slice(0, node.range[0])) ?? [];
    const start = node.range[0] - tag.length - (text[node.range[0] - tag.length - 1] === '!' ? 1 : 0);
    const written = text.slice(start, node.range[0]).trim();
    const span = { start, end: start + written.length };
    return refuse(span, path, 'tag', `the tag ${written} is not allowed`, 'remove it; quotes make text of a number');
  }

  function keyOf(node: ParsedNode, path: Path): string {
    const span = spanOf(node);
    if (isAlias(node)) throw refuse(span, path, 'key', 'an alias cannot be a key', 'write the key out');
    if (!isScalar(node)) throw refuse(span, path, 'key', 'a key must be text', 'write a word and ":"');
    if (node.tag !== undefined) throw refuseTag(node, path);
    if (node.anchor !== undefined)
      throw refuse(span, path, 'key', 'a key cannot have an anchor', 'put it on the value');
    const key = String(node.value);
    if (/^\/[/*]/.test(key) && node.type === 'PLAIN')
      throw refuse(
        { start: span.start, end: span.start + 2 },
        path,
        'comment',
        'this is not a comment',
        'write # instead',
      );
    if (key === '__proto__') throw refuse(span, path, 'key', 'the key __proto__ is not allowed', 'remove it');
    if (key === '<<') throw refuse(span, path, 'key', 'merge keys (<<) are not allowed', 'write the keys out');
    return key;
  }
}

/** The nearest part of the file to a path: the value, its key, or the innermost parent that exists. */
export function locatePath(tree: Tree, path: Path, at: 'key' | 'value'): Span {
  let here = tree;
  let span: Span = firstOf(tree);
  for (const [index, part] of path.entries()) {
    if (typeof part === 'number') {
      const item = here.kind === 'list' ? here.items[part] : undefined;
      if (item === undefined) return span;
      here = item;
      span = firstOf(item);
      continue;
    }
    const entry = here.kind === 'map' ? here.entries.get(part) : undefined;
    if (entry === undefined) return span;
    const last = index === path.length - 1;
    here = entry.value;
    // of something large its key is shown, of something small the thing itself
    span = (last && at === 'key') || here.kind !== 'scalar' ? entry.key : here;
  }
  return span;
}

/** The plain value, as JSON.parse would give it. */
export function toValue(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value;
  if (tree.kind === 'list') return tree.items.map(toValue);
  return Object.fromEntries([...tree.entries].map(([key, { value }]) => [key, toValue(value)]));
}

/** Of a mapping its first key, so that the place of a list item is a line that means something. */
function firstOf(tree: Tree): Span {
  if (tree.kind !== 'map') return tree;
  const [first] = tree.entries.values();
  return first?.key ?? tree;
}

function spanOf(node: ParsedNode): Span {
  return { start: node.range[0], end: Math.max(node.range[1], node.range[0] + 1) };
}

function scalarOf(value: unknown): string | number | boolean | null {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  return null;
}

function sum(parts: readonly { readonly size: number }[]): number {
  return parts.reduce((total, { size }) => total + size, 1);
}

class Refusal extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.issue.message);
    this.problem = problem;
  }
}

function refuse(span: Span, path: Path, code: DiagnosticCode, message: string, hint: string): Refusal {
  return new Refusal({ issue: { path, at: 'value', code, message, hint }, span });
}

function describeRepeated(key: string, span: Span, path: Path): Problem {
  const message = `the key ${shorten(key)} occurs twice`;
  return { issue: { path, at: 'key', code: 'duplicate-key', message, hint: 'keep one of them' }, span };
}

function tooLarge(node: ParsedNode): Problem {
  const span = { start: node.range[0], end: node.range[0] + 1 };
  return refuse(span, [], 'too-large', 'too many values once aliases are expanded', 'write the values out').problem;
}
