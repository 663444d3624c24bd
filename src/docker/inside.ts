import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { packArchive, unpackArchive } from './archive.ts';
import { attachInput } from './attach.ts';
import { execute } from './exec.ts';
import { execStream } from './exec-stream.ts';
import { readHeader } from './reply.ts';
import { deadlines, orUndefined, type Calls, type Run } from './run.ts';

export function insideCalls(
  docker: Docker,
  run: Run,
): Calls<'readLink' | 'pathExists' | 'readArchive' | 'writeArchive' | 'exec' | 'execStream' | 'attachInput'> {
  return {
    readLink: (ref, path) =>
      orUndefined(
        run.ask(`look at ${path} in container ${ref}`, async (abortSignal) =>
          readLinkTarget(await docker.getContainer(ref).infoArchive({ path, abortSignal })),
        ),
      ),
    pathExists: async (ref, path) => {
      const found = await orUndefined(
        run.ask(`look for ${path} in container ${ref}`, async (abortSignal) =>
          readHeader(await docker.getContainer(ref).infoArchive({ path, abortSignal }), statHeader),
        ),
      );
      return found !== undefined;
    },
    readArchive: (ref, path) =>
      orUndefined(
        run.ask(`read ${path} in container ${ref}`, async (abortSignal) => {
          const stream = await docker.getContainer(ref).getArchive({ path, abortSignal });
          return unpackArchive(stream as Readable);
        }),
      ),
    writeArchive: (ref, folder, entries, owner) =>
      run.tell(`write ${folder} in container ${ref}`, deadlines.write, async (abortSignal) => {
        const archive = await packArchive(entries, owner);
        await docker.getContainer(ref).putArchive(archive, { path: folder, abortSignal });
      }),
    exec: (ref, command) =>
      run.tell(
        `run ${command.command[0] ?? ''} in container ${ref}`,
        command.deadline ?? deadlines.write,
        (abortSignal) =>
          execute(
            docker,
            ref,
            command,
            command.signal === undefined ? abortSignal : AbortSignal.any([abortSignal, command.signal]),
          ),
      ),
    execStream: (ref, command, signal) =>
      run.tell(`run ${command.command[0] ?? ''} in container ${ref}`, deadlines.write, (deadline) =>
        execStream(docker, ref, command, signal, deadline),
      ),
    attachInput: (ref) =>
      run.tell(`attach to container ${ref}`, deadlines.read, (abortSignal) => attachInput(docker, ref, abortSignal)),
  };
}

// Source: https://docs.docker.com/engine/api/v1.41/#tag/Container/operation/ContainerArchiveInfo
const statHeader = 'x-docker-container-path-stat';

function readLinkTarget(reply: unknown): string | undefined {
  const header = readHeader(reply, statHeader);
  if (header === undefined) return undefined;
  const stat: unknown = JSON.parse(Buffer.from(header, 'base64').toString('utf8'));
  if (stat === null || typeof stat !== 'object' || !('linkTarget' in stat)) return undefined;
  return typeof stat.linkTarget === 'string' && stat.linkTarget !== '' ? stat.linkTarget : undefined;
}
