import type { Path } from './path.ts';
import type { Healthcheck, TopologyFile } from './types.gen.ts';

type Settings = {
  readonly memory?: number | string | undefined;
  readonly shm_size?: number | string | undefined;
  readonly hba?: readonly string[] | undefined;
  readonly healthcheck?: Healthcheck | undefined;
};

/** Every place in the file where a node or balancer is given settings. */
export function listSettings(raw: TopologyFile): { path: Path; settings: Settings }[] {
  const groups = raw.balancers.flatMap((balancer, index) => {
    const path = ['balancers', index];
    const replicas = Array.isArray(balancer.replicas) ? balancer.replicas : [];
    return [
      { path, settings: { memory: balancer.memory } },
      { path: [...path, 'postgres'], settings: balancer.postgres ?? {} },
      { path: [...path, 'primary'], settings: balancer.primary ?? {} },
      ...replicas.map((settings, at) => ({ path: [...path, 'replicas', at], settings })),
    ];
  });
  return [{ path: ['postgres'], settings: raw.postgres ?? {} }, ...groups];
}
