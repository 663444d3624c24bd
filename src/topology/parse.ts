import { checkShape } from './check.ts';
import {
  createFileDiagnostic,
  createSource,
  locateIssue,
  sortDiagnostics,
  type Diagnostic,
  type Issue,
  type Source,
} from './diagnostic.ts';
import { limits, readDocument } from './document.ts';
import { interpolateTree, type Environment } from './interpolate.ts';
import type { Topology } from './model.ts';
import { resolveTopology, type Resolved } from './resolve.ts';
import { checkCount, checkRules } from './rules.ts';
import { locatePath, toValue, type Tree } from './tree.ts';
import type { TopologyFile } from './types.gen.ts';

/** A file read as far as it goes, for checks against other files and the file system. */
export type Parsed = {
  readonly source: Source;
  readonly diagnostics: readonly Diagnostic[];
  /** Absent where too much is wrong to say what the file means. */
  readonly content?: { readonly tree: Tree; readonly raw: TopologyFile; readonly resolved: Resolved };
};

/**
 * The topology that a text describes, or everything that is wrong with it. Pure: relative paths start at the directory
 * of `file`, and that at `cwd`; whether they exist is not asked.
 */
export function parseTopology(
  text: string,
  file: string,
  env: Environment,
  cwd = '/',
): { topology?: Topology; diagnostics: Diagnostic[] } {
  const { content, diagnostics } = readTopology(text, file, env, cwd);
  const failed = content === undefined || diagnostics.some(({ severity }) => severity === 'error');
  return { ...(failed ? {} : { topology: content.resolved.topology }), diagnostics: [...diagnostics] };
}

export function readTopology(text: string, file: string, env: Environment, cwd: string): Parsed {
  const source = createSource(file, text.replace(/^\uFEFF/, ''));
  const { tree, problems } = readDocument(source.text, file.endsWith('.json') ? 'JSON' : 'YAML');
  if (tree === undefined) {
    return {
      source,
      diagnostics: sortDiagnostics(problems.map(({ issue, span }) => locateIssue(source, span, issue))),
    };
  }
  const interpolated = interpolateTree(tree, env);
  const checked = checkShape(toValue(interpolated.tree), interpolated.paths);
  const bad = [...checked.removed, ...interpolated.issues.map(({ path }) => path)];
  // a variable that is not set is the reason for whatever else is wrong with its value
  const unset = new Set(interpolated.issues.map(({ path }) => JSON.stringify(path)));
  const shape = checked.issues.filter(({ path }) => !unset.has(JSON.stringify(path)));
  const counts = checked.file === undefined ? [] : checkCount(checked.file);
  const resolved =
    checked.file === undefined || counts.length > 0 ? undefined : resolveTopology(checked.file, file, cwd);
  const rules = checked.file === undefined || resolved === undefined ? [] : checkRules(checked.file, resolved, bad);
  const issues = [...interpolated.issues, ...shape, ...counts, ...rules];
  const located = issues.map((issue) => locate(source, tree, issue));
  const diagnostics = keepFirst(hideSecretLines(sortDiagnostics(located)));
  if (checked.file === undefined || resolved === undefined) return { source, diagnostics };
  return { source, diagnostics, content: { tree, raw: checked.file, resolved } };
}

/** A line that holds a secret is not shown, whatever else is wrong in it. */
function hideSecretLines(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const hidden = new Set(diagnostics.filter(({ sourceLine }) => sourceLine === undefined).map(({ line }) => line));
  return diagnostics.map((diagnostic) => {
    const { sourceLine, ...rest } = diagnostic;
    return sourceLine === undefined || hidden.has(diagnostic.line) ? rest : diagnostic;
  });
}

/** A file with thousands of mistakes has one, said often. */
function keepFirst(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const rest = diagnostics.slice(limits.errors);
  const [next] = rest.toSorted((a, b) => a.severity.localeCompare(b.severity));
  if (next === undefined) return diagnostics;
  const { file, line, severity } = next;
  const message = `${rest.length} more of this kind or another from line ${line} on`;
  const last = { ...createFileDiagnostic(file, 'too-many', message), severity };
  return [...diagnostics.slice(0, limits.errors), last];
}

export function locate(source: Source, tree: Tree, issue: Issue): Diagnostic {
  return locateIssue(source, locatePath(tree, issue.path, issue.at), issue);
}
