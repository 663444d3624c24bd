import type Docker from 'dockerode';
import { readHeader } from './reply.ts';

/** A header of the engine's answer to a ping, which dockerode's own call does not give. */
export async function pingHeader(docker: Docker, name: string, abortSignal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      {
        path: '/_ping',
        method: 'GET',
        isStream: true,
        statusCodes: { 200: true, 500: 'server error' },
        abortSignal,
      },
      (error: unknown, reply: unknown) => {
        if (error instanceof Error) reject(error);
        else resolve(readHeader(reply, name));
      },
    );
  });
}
