import type Docker from 'dockerode';
import { PgherdError } from '../base/error.ts';
import { toFailure } from './failure.ts';
import { readMajor } from './inspect.ts';
import { orNull } from './reply.ts';
import { deadlines, orUndefined, type Calls, type Run } from './run.ts';

export function imageCalls(docker: Docker, run: Run, host: string): Calls<'inspectImage' | 'pullImage'> {
  return {
    inspectImage: (ref) =>
      orUndefined(
        run.ask(`inspect image ${ref}`, async (abortSignal) => {
          const image = await inspectable(docker, ref).inspect({ abortSignal });
          const { Env, Volumes } = image.Config;
          return { id: image.Id, volumes: Object.keys(orNull(Volumes) ?? {}), postgresMajor: readMajor(Env) };
        }),
      ),
    pullImage: async (ref) => {
      await pull(docker, ref).catch((thrown: unknown) => {
        const cause = toFailure(thrown, { what: `pull image ${ref}`, host });
        // What is wrong with the engine is not of the image.
        if (cause.code === 'no-space') throw cause;
        throw new PgherdError('image-missing', `image ${ref} is not on the engine and cannot be pulled`, {
          cause,
          remedy: findPullRemedy(cause.message, ref),
        });
      });
    },
  };
}

/** What helps against what a registry, or the engine about it, says. Source: distribution and moby. */
export function findPullRemedy(said: string, ref: string): string {
  if (/toomanyrequests|pull rate limit/i.test(said)) {
    return `the registry allows no more pulls for now: \`docker login\` on the engine, wait, or pull ${ref} from a mirror`;
  }
  if (/no matching manifest for/i.test(said)) {
    return `the image is not made for the engine's platform: give one that is, or build ${ref} there`;
  }
  if (/manifest .*(?:unknown|not found)/i.test(said)) {
    return `the registry has the image, and not this tag: see the name, or build ${ref} on the engine`;
  }
  if (/pull access denied|unauthorized|denied: /i.test(said)) {
    return `see the name, \`docker pull ${ref}\` by somebody who is logged in, or build it on the engine`;
  }
  if (/no such host|connection refused|i\/o timeout|TLS handshake timeout|x509|network is unreachable/i.test(said)) {
    return `the engine does not reach the registry: mend that, or \`docker load\` or build ${ref} on the engine`;
  }
  return `pull or build it, e.g. \`docker pull ${ref}\`, or give another image in the topology file`;
}

// The pull call answers before it is done, and tells a failure in the stream: both are read here.
async function pull(docker: Docker, ref: string): Promise<void> {
  const tagged = /[:@][^/]*$/.test(ref) ? ref : `${ref}:latest`;
  const stream = await docker.pull(tagged, { abortSignal: AbortSignal.timeout(deadlines.pull) });
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  const failed = text.split('\n').find((line) => line.includes('"errorDetail"'));
  if (failed !== undefined) throw new Error(/"error":"((?:[^"\\]|\\.)*)"/.exec(failed)?.[1] ?? failed);
}

// dockerode's types leave out the signal of this one call.
function inspectable(
  docker: Docker,
  ref: string,
): { inspect: (options: { readonly abortSignal: AbortSignal }) => Promise<Docker.ImageInspectInfo> } {
  return docker.getImage(ref) as never;
}
