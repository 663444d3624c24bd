import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { packArchive, unpackArchive } from './archive.ts';
import { attachInput } from './attach.ts';
import { execute } from './exec.ts';
import { deadlines, orUndefined, type Calls, type Run } from './run.ts';

export function insideCalls(
  docker: Docker,
  run: Run,
): Calls<'readLink' | 'readArchive' | 'writeArchive' | 'exec' | 'attachInput'> {
  return {
    readLink: (ref, path) =>
      orUndefined(
        run(`look at ${path} in container ${ref}`, deadlines.read, async (abortSignal) =>
          readLinkTarget(await docker.getContainer(ref).infoArchive({ path, abortSignal })),
        ),
      ),
    readArchive: (ref, path) =>
      orUndefined(
        run(`read ${path} in container ${ref}`, deadlines.read, async (abortSignal) => {
          const stream = await docker.getContainer(ref).getArchive({ path, abortSignal });
          return unpackArchive(stream as Readable);
        }),
      ),
    writeArchive: (ref, folder, entries, owner) =>
      run(`write ${folder} in container ${ref}`, deadlines.write, async (abortSignal) => {
        const archive = await packArchive(entries, owner);
        await docker.getContainer(ref).putArchive(archive, { path: folder, abortSignal });
      }),
    exec: (ref, command) =>
      run(`run ${command.command[0] ?? ''} in container ${ref}`, command.deadline ?? deadlines.write, (abortSignal) =>
        execute(
          docker,
          ref,
          command,
          command.signal === undefined ? abortSignal : AbortSignal.any([abortSignal, command.signal]),
        ),
      ),
    attachInput: (ref) =>
      run(`attach to container ${ref}`, deadlines.read, (abortSignal) => attachInput(docker, ref, abortSignal)),
  };
}

// Source: https://docs.docker.com/engine/api/v1.41/#tag/Container/operation/ContainerArchiveInfo
function readLinkTarget(reply: unknown): string | undefined {
  if (reply === null || typeof reply !== 'object') return undefined;
  if ('resume' in reply && typeof reply.resume === 'function') reply.resume();
  const headers = 'headers' in reply ? reply.headers : undefined;
  if (headers === null || typeof headers !== 'object') return undefined;
  const header = 'x-docker-container-path-stat' in headers ? headers['x-docker-container-path-stat'] : undefined;
  if (typeof header !== 'string') return undefined;
  const stat: unknown = JSON.parse(Buffer.from(header, 'base64').toString('utf8'));
  if (stat === null || typeof stat !== 'object' || !('linkTarget' in stat)) return undefined;
  return typeof stat.linkTarget === 'string' && stat.linkTarget !== '' ? stat.linkTarget : undefined;
}
