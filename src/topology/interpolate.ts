import type { Issue } from './diagnostic.ts';
import { formatPath, maySayPassword, type Path } from './path.ts';
import type { Tree } from './tree.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export type Interpolated = {
  readonly tree: Tree;
  /** Paths of the values that held a variable; what they say may be a number. */
  readonly paths: ReadonlySet<string>;
  readonly issues: readonly Issue[];
};

/**
 * Replaces variables in every string value, as Compose does
 * (https://docs.docker.com/reference/compose-file/interpolation/): `${NAME}`, `${NAME:-default}` (unset or empty),
 * `${NAME-default}` (unset), `${NAME:?message}` and `${NAME?message}` (an error instead), `$$` for a dollar sign.
 * A `$` before anything else stays, so that `"$user"` in a search_path needs no escape.
 */
export function interpolateTree(tree: Tree, env: Environment): Interpolated {
  const paths = new Set<string>();
  const issues: Issue[] = [];
  return { tree: visit(tree, []), paths, issues };

  function visit(node: Tree, path: Path): Tree {
    if (node.kind === 'list') return { ...node, items: node.items.map((item, index) => visit(item, [...path, index])) };
    if (node.kind === 'map') {
      const entries = [...node.entries].map(
        ([key, entry]) => [key, { ...entry, value: visit(entry.value, [...path, key]) }] as const,
      );
      return { ...node, entries: new Map(entries) };
    }
    if (typeof node.value !== 'string' || !node.value.includes('$')) return node;
    const result = interpolate(node.value, env);
    if ('problem' in result) issues.push(describeProblem(path, result.problem));
    else if (result.replaced) paths.add(formatPath(path));
    return 'problem' in result ? node : { ...node, value: result.text };
  }
}

type Problem = { readonly message: string; readonly hint: string };
type Result = { readonly text: string; readonly replaced: boolean } | { readonly problem: Problem };

function describeProblem(path: Path, problem: Problem): Issue {
  return { path, at: 'value', code: 'variable', ...problem, ...(maySayPassword(path) ? { secret: true } : {}) };
}

const pattern = /\$(?:\$|\{([a-zA-Z_][a-zA-Z0-9_]*)(?:(:?[-?])((?:[^$}]|\$(?!\{))*))?\}|\{)/g;

/** The text with its variables replaced, or the first thing wrong with them. */
export function interpolate(text: string, env: Environment): Result {
  let problem: Problem | undefined;
  let replaced = false;
  const output = text.replace(
    pattern,
    (match: string, name?: string, operator?: string, rest: string | undefined = '') => {
      if (match === '$$') return '$';
      if (name === undefined) {
        // the text itself is not repeated: it may be long, or a password
        problem ??= { message: 'a variable is not complete', hint: suggestSpelling(text) };
        return match;
      }
      replaced = true;
      const value = Object.hasOwn(env, name) ? env[name] : undefined;
      const missing = value === undefined || (value === '' && operator?.startsWith(':') === true);
      if (!missing) return value;
      if (operator?.endsWith('-') === true) return rest.replaceAll('$$', '$');
      problem ??=
        operator?.endsWith('?') === true && rest !== ''
          ? { message: `the variable ${name} is needed: ${rest}`, hint: `set ${name} in the environment` }
          : { message: `the variable ${name} is not set`, hint: `set it, or write \${${name}:-default}` };
      return match;
    },
  );
  return problem === undefined ? { text: output, replaced } : { problem };
}

function suggestSpelling(text: string): string {
  return /\$\{[^}]*\$\{/.test(text)
    ? 'variables do not nest: a default is plain text'
    : 'write ${NAME}, ${NAME:-default} or $$ for a dollar sign';
}
