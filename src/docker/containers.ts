import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { hasCode } from '../base/error.ts';
import { toCreateOptions } from './create.ts';
import { settlesWithin } from './deadline.ts';
import type { Engine } from './engine.ts';
import { mapContainer, mapListed } from './inspect.ts';
import { deadlines, orUndefined, settled, toFilters, type Calls, type Run } from './run.ts';
import type { Container } from './types.ts';

/** Milliseconds between two attempts at removing a container. */
const removalInterval = 20;

/** Milliseconds in which one that the engine is removing already should be gone: whoever asked does not wait any longer. */
const removalTime = 5000;

/**
 * Milliseconds that the engine may take to tell of one container, and of one that it told nothing of the last time: it
 * waits until the call that holds that one is over, and a `docker cp` does so for as long as it copies.
 */
const inspectTime = 5000;
const inspectTimeAgain = 500;

export function containerCalls(
  docker: Docker,
  run: Run,
  extra: Readonly<Record<string, string>>,
): Calls<
  | 'listContainers'
  | 'inspectContainer'
  | 'findPortHolder'
  | 'createContainer'
  | 'startContainer'
  | 'stopContainer'
  | 'unpauseContainer'
  | 'killContainer'
  | 'removeContainer'
  | 'updateContainer'
  | 'readLogs'
> {
  const inspectContainer: Engine['inspectContainer'] = (ref) =>
    orUndefined(
      run.ask(`inspect container ${ref}`, async (abortSignal) =>
        mapContainer(await docker.getContainer(ref).inspect({ abortSignal })),
      ),
    );
  /** Questions that had no answer in time, by container: it is asked anew when they have ended. */
  const late = new Map<string, Promise<unknown>>();
  const inspectListed = async (listed: Docker.ContainerInfo): Promise<Container | undefined> => {
    const before = late.get(listed.Id);
    if (before !== undefined && !(await settlesWithin(inspectTimeAgain, before))) return mapListed(listed);
    // One that was answered late is held no more; an engine that is slow is given the time it takes.
    const isHeld = before !== undefined && (await isUnanswered(before));
    const question = inspectContainer(listed.Id);
    if (await settlesWithin(isHeld ? inspectTimeAgain : inspectTime, question)) {
      late.delete(listed.Id);
      return question;
    }
    late.set(listed.Id, question);
    return mapListed(listed);
  };
  return {
    inspectContainer,
    listContainers: async (labels, onInspected) => {
      const listed = await run.ask('list containers', (abortSignal) =>
        docker.listContainers({ all: true, filters: toFilters(labels), abortSignal }),
      );
      const inspect = async (each: Docker.ContainerInfo): Promise<Container | undefined> => {
        const container = await inspectListed(each);
        if (container !== undefined) onInspected?.(container);
        return container;
      };
      const inspected = await Promise.all(listed.map(inspect));
      return inspected.filter((container) => container !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    findPortHolder: async (port) => {
      const listed = await run.ask('list containers', (abortSignal) =>
        docker.listContainers({ filters: { publish: [String(port)] }, abortSignal }),
      );
      return listed.flatMap(({ Names }) => Names)[0]?.replace(/^\//, '');
    },
    createContainer: (spec) =>
      run.tell(`create container ${spec.name}`, deadlines.write, async (abortSignal) => {
        const options = toCreateOptions({ ...spec, labels: { ...spec.labels, ...extra } });
        return (await docker.createContainer({ ...options, abortSignal })).id;
      }),
    startContainer: (ref) =>
      run.tell(`start container ${ref}`, deadlines.write, (abortSignal) =>
        settled(docker.getContainer(ref).start({ abortSignal }), 304),
      ),
    stopContainer: (ref, seconds) =>
      run.tell(`stop container ${ref}`, deadlines.write + seconds * 1000, (abortSignal) =>
        settled(docker.getContainer(ref).stop({ t: seconds, abortSignal }), 304, 404),
      ),
    unpauseContainer: (ref) =>
      run.tell(`unpause container ${ref}`, deadlines.write, (abortSignal) =>
        settled(docker.getContainer(ref).unpause({ abortSignal }), 304, 404),
      ),
    killContainer: (ref, signal) =>
      run.tell(`send ${signal} to container ${ref}`, deadlines.write, (abortSignal) =>
        settled(docker.getContainer(ref).kill({ signal, abortSignal }), 404),
      ),
    removeContainer: async (ref) => {
      const remove = (): Promise<void> =>
        run.tell(`remove container ${ref}`, deadlines.write, (abortSignal) =>
          settled(docker.getContainer(ref).remove({ force: true, abortSignal }), 404),
        );
      const end = performance.now() + removalTime;
      // The engine refuses what ends while it is about to kill it, and what it is removing already: both are gone soon.
      for (;;) {
        try {
          await remove();
          return;
        } catch (error) {
          if (!hasCode(error, 'not-running', 'in-progress') || performance.now() > end) throw error;
        }
        await delay(removalInterval);
      }
    },
    updateContainer: (ref, limits) =>
      run.tell(`update container ${ref}`, deadlines.write, async (abortSignal) => {
        await docker.getContainer(ref).update({
          // Swap follows memory, as at creation: an update of memory alone is refused where it would pass the old swap.
          ...(limits.memory === undefined ? {} : { Memory: limits.memory, MemorySwap: limits.memory * 2 }),
          ...(limits.cpus === undefined ? {} : { NanoCpus: Math.round(limits.cpus * 1e9) }),
          ...(limits.restart === undefined ? {} : { RestartPolicy: { Name: limits.restart } }),
          abortSignal,
        });
      }),
    readLogs: (ref, lines) =>
      run.ask(`read the log of container ${ref}`, async (abortSignal) => {
        const options = { stdout: true, stderr: true, tail: lines, follow: false, abortSignal } as const;
        return demultiplex(await docker.getContainer(ref).logs(options));
      }),
  };
}

async function isUnanswered(question: Promise<unknown>): Promise<boolean> {
  return question.then(
    () => false,
    (error: unknown) => hasCode(error, 'engine-timeout'),
  );
}

// The engine writes frames of an 8-byte header (stream, 0, 0, 0, length) and a body where there is no terminal.
function demultiplex(frames: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= frames.length;) {
    const end = at + 8 + frames.readUInt32BE(at + 4);
    parts.push(frames.subarray(at + 8, end));
    at = end;
  }
  return Buffer.concat(parts).toString('utf8');
}
