import type { TestCluster } from './cluster.ts';
import { docker } from './engine.ts';

/** Things of the engine that are nobody's business but their owner's; swept with the cluster. */
export type Foreign = {
  container(name: string, ...options: readonly string[]): Promise<string>;
  volume(name: string): Promise<string>;
  network(name: string, ...options: readonly string[]): Promise<string>;
  /** All that can be seen of them. */
  look(): Promise<unknown>;
};

export function foreignOf(cluster: TestCluster): Foreign {
  const made: string[][] = [];
  const mark = `--label=${cluster.run.label}`;
  return {
    container: async (name, ...options) => {
      const full = name.includes(cluster.name) ? name : `${cluster.name}-foreign-${name}`;
      const rest = ['--tmpfs=/var/lib/postgresql/data', '--entrypoint=sleep', 'postgres:17', 'infinity'];
      await docker('run', '--detach', '--init', `--name=${full}`, mark, ...options, ...rest);
      made.push(['container', full]);
      return full;
    },
    volume: async (name) => {
      await docker('volume', 'create', mark, name);
      made.push(['volume', name]);
      return name;
    },
    network: async (name, ...options) => {
      await docker('network', 'create', mark, ...options, name);
      made.push(['network', name]);
      return name;
    },
    look: () =>
      Promise.all(
        made.map(async ([kind = '', name = '']) => JSON.parse(await docker(kind, 'inspect', name)) as unknown),
      ),
  };
}
