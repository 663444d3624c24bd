import type Docker from 'dockerode';
import { PgherdError } from '../base/error.ts';
import type { Engine } from './engine.ts';
import { mapVolume } from './inspect.ts';
import { orNull } from './reply.ts';
import { deadlines, orUndefined, settled, toFilters, type Calls, type Run } from './run.ts';

export function volumeCalls(
  docker: Docker,
  run: Run,
  extra: Readonly<Record<string, string>>,
): Calls<'listVolumes' | 'inspectVolume' | 'createVolume' | 'removeVolume' | 'listVolumeUsers'> {
  const inspectVolume: Engine['inspectVolume'] = (name) =>
    orUndefined(
      run.ask(`inspect volume ${name}`, async (abortSignal) =>
        mapVolume(await docker.getVolume(name).inspect({ abortSignal })),
      ),
    );
  return {
    inspectVolume,
    listVolumes: (labels) =>
      run.ask('list volumes', async (abortSignal) => {
        const { Volumes } = await docker.listVolumes({ filters: toFilters(labels), abortSignal });
        return (orNull(Volumes) ?? []).map(mapVolume).sort((a, b) => (a.name < b.name ? -1 : 1));
      }),
    createVolume: async (name, labels) => {
      await run.tell(`create volume ${name}`, deadlines.write, (abortSignal) =>
        docker.createVolume({ Name: name, Labels: { ...labels, ...extra }, abortSignal }),
      );
      const created = await inspectVolume(name);
      if (created === undefined) throw new PgherdError('not-found', `volume ${name} went away while it was made`);
      return created;
    },
    removeVolume: (name) =>
      run.tell(`remove volume ${name}`, deadlines.write, (abortSignal) =>
        settled(docker.getVolume(name).remove({ abortSignal }), 404),
      ),
    listVolumeUsers: () =>
      run.ask('list containers', async (abortSignal) => {
        const listed = await docker.listContainers({ all: true, abortSignal });
        const users = new Map<string, readonly string[]>();
        for (const { Names, Mounts } of listed) {
          for (const { Type, Name } of orNull(Mounts) ?? []) {
            if (Type !== 'volume' || Name === undefined) continue;
            users.set(Name, [...(users.get(Name) ?? []), ...Names.map((name) => name.replace(/^\//, ''))].sort());
          }
        }
        return users;
      }),
  };
}
