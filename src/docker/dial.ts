import type Docker from 'dockerode';

type Question = {
  readonly path: string;
  readonly query: Readonly<Record<string, string | number | boolean>>;
  /** The answer is given as a stream. */
  readonly isStream: boolean;
  readonly abortSignal: AbortSignal;
};

/** Asks the engine what dockerode has no call for, or none of the kind that is needed. */
export async function dial(docker: Docker, { path, query, isStream, abortSignal }: Question): Promise<unknown> {
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      {
        path: `${path}?`,
        options: query,
        method: 'GET',
        isStream,
        statusCodes: { 200: true, 404: 'no such thing', 500: 'server error' },
        abortSignal,
      },
      (error: unknown, reply: unknown) => {
        if (error instanceof Error) reject(error);
        else resolve(reply);
      },
    );
  });
}
