import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type Docker from 'dockerode';
import type { EngineEvent, EventFilter } from './engine.ts';
import { toFailure } from './failure.ts';
import { readLines } from './lines.ts';
import { openStream } from './open-stream.ts';
import { pingHeader } from './ping.ts';
import { orNull } from './reply.ts';
import type { Calls, Run } from './run.ts';
import { parseJson } from '../base/json.ts';

const what = 'watch events';

/** Milliseconds without a byte until TCP asks whether the other side is still there. */
const keepAlive = 30_000;

export function eventCalls(docker: Docker, run: Run, host: string): Calls<'watchEvents'> {
  return {
    watchEvents: (filter, signal) =>
      run.ask(what, async (deadline) => {
        const reply = await openStream(signal, deadline, (abortSignal) => subscribe(docker, filter, abortSignal));
        return readEvents(reply, filter, signal, host);
      }),
  };
}

async function subscribe(docker: Docker, filter: EventFilter, abortSignal: AbortSignal): Promise<IncomingMessage> {
  const since = await engineTime(docker, abortSignal);
  const reply = await docker.getEvents({
    ...(since === undefined ? {} : { since }),
    filters: {
      type: [...filter.types],
      ...(filter.label === undefined ? {} : { label: [filter.label] }),
      ...(filter.actions === undefined ? {} : { event: [...filter.actions] }),
    },
    abortSignal,
  });
  const message = reply as IncomingMessage;
  // There is no other sign of a connection that was cut without a word: no event is the usual case.
  if (message.socket instanceof Socket) message.socket.setKeepAlive(true, keepAlive);
  return message;
}

/**
 * Seconds by the engine's clock. It answers first and subscribes then (moby, getEvents), so that what happens in between
 * would be missed: to be told of everything since the second before includes it.
 */
async function engineTime(docker: Docker, abortSignal: AbortSignal): Promise<number | undefined> {
  const date = Date.parse((await pingHeader(docker, 'date', abortSignal)) ?? '');
  return Number.isNaN(date) ? undefined : date / 1000;
}

async function* readEvents(
  reply: IncomingMessage,
  filter: EventFilter,
  signal: AbortSignal,
  host: string,
): AsyncGenerator<EngineEvent, void, undefined> {
  try {
    for await (const line of readLines(reply)) {
      if (signal.aborted) return;
      if (line === '') continue;
      const event = parseEvent(line);
      // Nobody knows which events stood in a broken line, so that it ends the stream as a cut does.
      if (event === undefined) return;
      if (isWanted(event, filter)) yield event;
    }
  } catch (thrown) {
    const cause = orNull(reply.socket.errored) ?? (isCut(thrown) ? undefined : thrown);
    if (!signal.aborted && cause !== undefined) throw toFailure(cause, { what, host });
  }
}

// With health_status among them, the engine takes the actions for prefixes.
function isWanted({ action }: EngineEvent, { actions }: EventFilter): boolean {
  return actions?.includes(action) ?? true;
}

// Node's words for a reply whose connection was closed before its end.
function isCut(thrown: unknown): boolean {
  if (!(thrown instanceof Error) || !('code' in thrown)) return false;
  return thrown.code === 'ECONNRESET' || thrown.code === 'ERR_STREAM_PREMATURE_CLOSE';
}

/**
 * An event as a line of the engine tells it; undefined: the line is none.
 * Source: https://docs.docker.com/engine/api/v1.41/#tag/System/operation/SystemEvents
 */
export function parseEvent(line: string): EngineEvent | undefined {
  const raw = parseJson(line);
  if (!isEvent(raw)) return undefined;
  const attributes = Object.entries(raw.Actor.Attributes ?? {});
  return {
    type: raw.Type,
    action: raw.Action.replace(/: .*$/s, ''),
    id: raw.Actor.ID,
    attributes: Object.fromEntries(attributes.map(([name, value]) => [name, String(value)])),
    at: Math.floor(raw.timeNano / 1e6),
  };
}

type RawEvent = {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes?: object | null };
  readonly timeNano: number;
};

function isEvent(value: unknown): value is RawEvent {
  if (!isObject(value) || !('Type' in value && 'Action' in value && 'Actor' in value && 'timeNano' in value))
    return false;
  const { Type, Action, Actor, timeNano } = value;
  const isTold = typeof Type === 'string' && typeof Action === 'string' && typeof timeNano === 'number';
  return isTold && isObject(Actor) && 'ID' in Actor && typeof Actor.ID === 'string' && hasAttributes(Actor);
}

function hasAttributes(actor: object): boolean {
  return !('Attributes' in actor) || actor.Attributes === null || isObject(actor.Attributes);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
