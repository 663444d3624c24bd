import { PgherdError } from '../base/error.ts';
import { connectDocker } from './connect.ts';
import type { Endpoint } from './endpoint.ts';
import { toFailure } from './failure.ts';

export type EngineVersion = {
  readonly version: string;
  /** The newest API it speaks. */
  readonly api: string;
  /** e.g. `linux/amd64`. */
  readonly platform: string;
};

/** What the engine says of itself, within a time; in milliseconds. */
export async function askVersion(endpoint: Endpoint, deadline: number): Promise<EngineVersion> {
  const { host } = endpoint;
  const signal = AbortSignal.timeout(deadline);
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(toFailure(signal.reason, { what: 'ask for its version', host }));
    });
  });
  const ask = async (): Promise<EngineVersion> => {
    const docker = await connectDocker(endpoint);
    const { Version, ApiVersion, Os, Arch } = await docker.version();
    return { version: Version, api: ApiVersion, platform: `${Os}/${Arch}` };
  };
  try {
    return await Promise.race([ask(), late]);
  } catch (thrown) {
    throw thrown instanceof PgherdError ? thrown : toFailure(thrown, { what: 'ask for its version', host });
  }
}
