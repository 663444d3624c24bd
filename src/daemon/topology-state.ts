import { canonicalJson } from '../base/canonical.ts';
import type { Diagnostic, LoadResult } from '../topology/load.ts';
import type { Group, Topology } from '../topology/model.ts';

/** What the daemon knows of one cluster's file. */
export type ClusterSource = {
  readonly cluster: string;
  /** As the user wrote the path. */
  readonly file: string;
  /** The last good one. */
  readonly topology: Topology;
  /** Grows with each good change of content. */
  readonly generation: number;
  readonly valid: boolean;
  /** Why the present file is not used; empty while valid. */
  readonly diagnostics: readonly Diagnostic[];
};

/** By cluster name. */
export type Sources = ReadonlyMap<string, ClusterSource>;

export type Absorbed = {
  readonly sources: Sources;
  /** Clusters whose topology is new or different. */
  readonly changed: readonly string[];
  /** Clusters known before whose validity or diagnostics changed. */
  readonly noticed: readonly string[];
  /** Diagnostics of files that never held a good topology. */
  readonly unplaced: readonly Diagnostic[];
};

/** What is known after a load: good topologies replace the last good ones, everything else leaves them as they are. */
export function absorb(before: Sources, loaded: LoadResult): Absorbed {
  const good = new Map(loaded.topologies.map((topology) => [topology.cluster, topology]));
  const sources = new Map<string, ClusterSource>();
  for (const [cluster, source] of before) {
    const topology = good.get(cluster);
    const next = topology === undefined ? keep(source, explain(source, before, loaded)) : follow(source, topology);
    sources.set(cluster, next);
  }
  for (const [cluster, topology] of good) if (!before.has(cluster)) sources.set(cluster, follow(undefined, topology));
  const all = [...sources.values()];
  return {
    sources,
    changed: all.filter((now) => now.generation !== before.get(now.cluster)?.generation).map(({ cluster }) => cluster),
    noticed: all.filter((now) => isNoticed(before.get(now.cluster), now)).map(({ cluster }) => cluster),
    unplaced: findUnplaced(all, loaded.diagnostics),
  };
}

/** Whether groups, or nodes (by group and slot), are missing afterwards. */
export function removesSomething(before: Topology | undefined, after: Topology): boolean {
  const groups = new Map(after.groups.map((group) => [group.name, group]));
  return before?.groups.some((group) => losesNodes(group, groups.get(group.name))) ?? false;
}

function losesNodes(before: Group, after: Group | undefined): boolean {
  return before.nodes.some(({ slot }) => after?.nodes.every((node) => node.slot !== slot) ?? true);
}

/** Whether two topologies say the same, whatever their files are called. */
export function isSameContent(a: Topology, b: Topology): boolean {
  return canonicalJson({ ...a, file: undefined }) === canonicalJson({ ...b, file: undefined });
}

function follow(before: ClusterSource | undefined, topology: Topology): ClusterSource {
  const isSame = before !== undefined && isSameContent(before.topology, topology);
  return {
    cluster: topology.cluster,
    file: topology.file,
    topology,
    generation: (before?.generation ?? 0) + (isSame ? 0 : 1),
    valid: true,
    diagnostics: [],
  };
}

function keep(before: ClusterSource, diagnostics: readonly Diagnostic[]): ClusterSource {
  return { ...before, valid: false, diagnostics };
}

function isNoticed(before: ClusterSource | undefined, now: ClusterSource): boolean {
  if (before === undefined) return false;
  return before.valid !== now.valid || canonicalJson(before.diagnostics) !== canonicalJson(now.diagnostics);
}

/** Why a cluster that was known is not among the topologies loaded. */
function explain(source: ClusterSource, before: Sources, loaded: LoadResult): readonly Diagnostic[] {
  const contest = loaded.contested?.find(({ cluster }) => cluster === source.cluster);
  if (contest !== undefined) {
    return loaded.diagnostics.filter(({ code, file }) => code === 'duplicate-cluster' && contest.files.includes(file));
  }
  const own = loaded.diagnostics.filter(({ file }) => file === source.file);
  const isBroken = own.some(({ severity, code }) => severity === 'error' && code !== 'no-file');
  return isBroken && !isTakenOver(source, before, loaded) ? own : [describeMissing(source)];
}

/** Whether the cluster's file describes another cluster by now. */
function isTakenOver({ cluster, file }: ClusterSource, before: Sources, loaded: LoadResult): boolean {
  const others = [...before.values()].filter((other) => other.cluster !== cluster && other.file === file);
  return loaded.topologies.some((topology) => topology.file === file) || others.some((other) => !isMissing(other));
}

function isMissing({ diagnostics }: ClusterSource): boolean {
  return diagnostics.some(({ code }) => code === 'no-file');
}

function describeMissing({ cluster, file }: ClusterSource): Diagnostic {
  return {
    file,
    line: 0,
    column: 0,
    path: '',
    code: 'no-file',
    message: `no file describes the cluster ${cluster} any more; its last good topology is kept`,
    hint: 'put the file back; a cluster is removed by `pgherd destroy`, not by removing its file',
    severity: 'error',
  };
}

/** The diagnostics that no cluster accounts for. */
function findUnplaced(sources: readonly ClusterSource[], diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const files = new Set(sources.map(({ file }) => file));
  const placed = new Set(
    sources.flatMap((source) => source.diagnostics.map((diagnostic) => canonicalJson(diagnostic))),
  );
  return diagnostics.filter((diagnostic) => !files.has(diagnostic.file) && !placed.has(canonicalJson(diagnostic)));
}
