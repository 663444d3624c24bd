import type { IncomingMessage } from 'node:http';
import type Docker from 'dockerode';
import { openConsole } from './console.ts';
import { dial } from './dial.ts';
import { toFailure } from './failure.ts';
import { readFrames } from './frames.ts';
import { readLogLines } from './log-lines.ts';
import { openStream } from './open-stream.ts';
import type { LogLine, LogOptions, OperatorCalls } from './operator.ts';
import { deadlines, type Run } from './run.ts';

export function operatorCalls(docker: Docker, run: Run, host: string): OperatorCalls {
  return {
    openConsole: (ref, command, signal) =>
      run.tell(`run a command in container ${ref}`, deadlines.write, (deadline) =>
        openConsole(docker, ref, command, signal, deadline),
      ),
    streamLogs: (ref, options, signal) => {
      const what = `read the log of container ${ref}`;
      return run.ask(what, async (deadline) => {
        const reply = await openStream(signal, deadline, (abortSignal) => askLog(docker, ref, options, abortSignal));
        return readLog(reply, signal, { what, host });
      });
    },
    measureVolumes: () =>
      run.tell('measure volumes', deadlines.pull, async (abortSignal) => {
        const query = { type: 'volume' };
        return readSizes(await dial(docker, { path: '/system/df', query, isStream: false, abortSignal }));
      }),
  };
}

// dockerode takes a log that is not followed for one small answer.
async function askLog(
  docker: Docker,
  ref: string,
  { follow, since, tail }: LogOptions,
  abortSignal: AbortSignal,
): Promise<IncomingMessage> {
  const query = {
    stdout: true,
    stderr: true,
    timestamps: true,
    follow,
    ...(since === undefined ? {} : { since }),
    ...(tail === undefined ? {} : { tail }),
  };
  const path = `/containers/${encodeURIComponent(ref)}/logs`;
  const reply: unknown = await dial(docker, { path, query, isStream: true, abortSignal });
  return reply as IncomingMessage;
}

async function* readLog(
  reply: IncomingMessage,
  signal: AbortSignal,
  asked: { readonly what: string; readonly host: string },
): AsyncGenerator<LogLine, void, undefined> {
  try {
    for await (const line of readLogLines(readFrames(reply))) {
      if (signal.aborted) return;
      yield line;
    }
  } catch (thrown) {
    if (!signal.aborted) throw toFailure(thrown, asked);
  }
}

// Source: https://docs.docker.com/engine/api/v1.41/#tag/System/operation/SystemDataUsage
function readSizes(reply: unknown): ReadonlyMap<string, number> {
  const volumes: unknown = isRecord(reply) ? reply['Volumes'] : undefined;
  const listed: readonly unknown[] = Array.isArray(volumes) ? volumes : [];
  return new Map(listed.flatMap(readSize));
}

function readSize(volume: unknown): readonly (readonly [string, number])[] {
  if (!isRecord(volume) || !isRecord(volume['UsageData'])) return [];
  const { Name: name } = volume;
  const { Size: size } = volume['UsageData'];
  return typeof name === 'string' && typeof size === 'number' && size >= 0 ? [[name, size]] : [];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
