import type { Engine } from '../../docker/engine.ts';
import { labelNames } from '../../reconcile/names.ts';
import type { Candidate, Context, Sources } from './complete.ts';
import { listNames, type Member } from './names.ts';
import { expandHome } from './unquote.ts';

/** The world that names come from. */
export type SourcesDeps = {
  readonly connect: (host: string | undefined) => Promise<Engine>;
  readonly home: string;
  /** Milliseconds that the engine has to answer in, connection and all: a person waits. */
  readonly deadline: number;
  /** Told why there are no names. */
  readonly explain: (reason: string) => void;
};

/** Names from the topology files of the line, or the usual ones; where those give none, from the engine's labels. */
export function createSources(deps: SourcesDeps): Sources {
  return {
    findNames: async (of, context) => {
      if (of === 'volume') return (await askEngine(listUnused, context, deps)) ?? [];
      const members = await readFiles(context, deps);
      const known = members.length > 0 ? members : await askEngine(listMembers, context, deps);
      return listNames(of, known ?? [], context);
    },
  };
}

async function readFiles({ paths }: Context, { home }: SourcesDeps): Promise<readonly Member[]> {
  const { loadTopologies } = await import('../../topology/load.ts');
  const { topologies } = await loadTopologies(paths.map((path) => expandHome(path, home)));
  return topologies.flatMap(({ file, cluster, groups }) =>
    groups.flatMap(({ name, nodes }) =>
      nodes.map((node) => ({ cluster, group: name, node: node.name, from: file }) satisfies Member),
    ),
  );
}

/** What the engine says within the deadline. */
async function askEngine<T>(
  ask: (engine: Engine) => Promise<T>,
  { host }: Context,
  { connect, deadline, explain }: SourcesDeps,
): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`the engine did not answer within ${deadline} ms`));
    }, deadline);
  });
  try {
    return await Promise.race([connect(host).then(ask), late]);
  } catch (error) {
    explain(error instanceof Error ? error.message : String(error));
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

async function listMembers(engine: Engine): Promise<readonly Member[]> {
  const { listNodes } = await import('../../reconcile/find.ts');
  const nodes = await listNodes(engine);
  return nodes.map(({ cluster, group, name }) => ({ cluster, group, node: name, from: engine.host }));
}

/** Volumes that no node has. */
async function listUnused(engine: Engine): Promise<readonly Candidate[]> {
  const [volumes, nodes] = await Promise.all([
    engine.listVolumes({ [labelNames.kind]: 'volume' }),
    engine.listContainers({ [labelNames.kind]: 'node' }),
  ]);
  const used = new Set(nodes.flatMap((node) => node.volumes.map(({ name }) => name)));
  const unused = volumes.filter(({ name }) => !used.has(name));
  return unused.map(({ name, labels }) => ({ text: name, description: `of ${labels[labelNames.cluster] ?? ''}` }));
}
