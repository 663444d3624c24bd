import type { Engine } from '../docker/engine.ts';
import type { Topology } from '../topology/model.ts';

/** An image of the cluster that the engine has, for its lock; the first is pulled where it has none. */
export async function findLockImage(engine: Engine, { groups }: Topology): Promise<string> {
  const images = groups.flatMap(({ nodes, balancer }) => [...nodes.map(({ image }) => image), balancer.image]);
  for (const image of images) {
    if ((await engine.inspectImage(image)) !== undefined) return image;
  }
  const [first] = images;
  if (first === undefined) throw new Error('a topology without nodes');
  await engine.pullImage(first);
  return first;
}
