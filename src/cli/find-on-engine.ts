import { hasCode } from '../base/error.ts';
import { listServers, type Server } from '../reconcile/find.ts';
import type { Engine } from '../docker/engine.ts';
import { loadTopologies } from '../topology/load.ts';

/**
 * Finds something among the servers of an engine. Where several clusters have it, that of a topology file in the working
 * directory is meant, if there is one.
 */
export async function findOnEngine<T>(engine: Engine, find: (servers: readonly Server[]) => T): Promise<T> {
  const servers = await listServers(engine);
  try {
    return find(servers);
  } catch (error) {
    if (!hasCode(error, 'ambiguous')) throw error;
    const here = (await loadTopologies([])).topologies.map(({ cluster }) => cluster);
    const ofHere = servers.filter(({ cluster }) => here.includes(cluster));
    if (ofHere.length === 0) throw error;
    return find(ofHere);
  }
}
