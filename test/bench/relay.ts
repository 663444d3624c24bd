import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ByteReader, relayAll, Truncated, write } from './bytes.ts';
import { isEndless, isHijacked, type OpenCall } from './calls.ts';
import {
  readBody,
  readReplyHead,
  readRequestHead,
  replyFraming,
  requestFraming,
  type Framing,
  type ReplyHead,
  type RequestHead,
} from './http.ts';
import { relayEvents, type EventFate } from './relay-events.ts';
import type { ActiveRule } from './rules.ts';

/** Where a relay reports its calls and asks what to do with them. */
export type Recorder = {
  arrive(head: RequestHead): OpenCall;
  claim(call: OpenCall): ActiveRule | undefined;
  /** Asked for each event of a stream of them; undefined: they pass as they come. */
  readonly fateOf?: (() => EventFate) | undefined;
};

/** What became of one request: the connection may carry another one, speaks no more HTTP, or is gone. */
type Next = 'again' | 'tunnel' | 'gone';

type Connection = {
  readonly client: Socket;
  readonly engine: Socket;
  readonly requests: ByteReader;
  readonly replies: ByteReader;
  readonly recorder: Recorder;
};

type Message = { readonly head: RequestHead; readonly call: OpenCall; readonly rule: ActiveRule | undefined };

/**
 * Relays one client connection to one engine connection, byte for byte, until both have ended.
 * It reads only as much HTTP as tells the requests of a kept-alive connection apart. An end is passed on as a
 * half-close, as the engine would have seen it, so a client's death ends what was attached to it.
 */
export async function relay(client: Socket, engine: Socket, recorder: Recorder): Promise<void> {
  const connection: Connection = {
    client,
    engine,
    requests: new ByteReader(client),
    replies: new ByteReader(engine),
    recorder,
  };
  try {
    await serve(connection);
  } catch (error) {
    cut(connection);
    if (!(error instanceof Truncated)) throw error;
  }
}

const EMPTY = Buffer.alloc(0);

async function serve(connection: Connection): Promise<void> {
  const { client, engine, requests, replies } = connection;
  for (;;) {
    const asked = await Promise.race([requests.more(), replies.ended.then(() => false)]);
    const next = asked ? await exchange(connection) : 'gone';
    if (next === 'tunnel') await Promise.all([relayAll(requests, engine), relayAll(replies, client)]);
    if (next !== 'again') break;
  }
  client.end();
  engine.end();
}

function cut({ client, engine }: Connection): void {
  client.destroy();
  engine.destroy();
}

async function exchange(connection: Connection): Promise<Next> {
  const head = await readRequestHead(connection.requests);
  const call = connection.recorder.arrive(head);
  const body = bodyFraming(head, call);
  const read = isJson(head) ? await collect(connection.requests, body) : undefined;
  if (read !== undefined) call.body = parseJson(read.data);
  const message = { head, call, rule: connection.recorder.claim(call) };
  const prevented = await before(connection, message, read === undefined ? body : undefined);
  if (prevented !== undefined) return prevented;
  call.forwarded = true;
  // In one write, as Node's client does it: an engine that hijacks the connection drops what it has read together
  // with the head, and gives anything later to the container's standard input.
  await write(connection.engine, Buffer.concat([head.raw, read?.raw ?? EMPTY]));
  return await answer(connection, message, read === undefined ? body : undefined);
}

/** What the rule does before the request goes on; undefined: let it go on. `unread` is the body still to come. */
async function before(
  connection: Connection,
  { call, rule }: Message,
  unread: Framing | undefined,
): Promise<Next | undefined> {
  switch (rule?.rule.act) {
    case 'kill-before':
      await rule.fire(call);
      cut(connection);
      return 'gone';
    case 'delay':
      await Promise.all([delay(rule.rule.ms), rule.fire(call)]);
      return undefined;
    case 'refuse':
      if (unread !== undefined) await collect(connection.requests, unread);
      await rule.fire(call);
      call.status = rule.rule.status;
      call.endedAt = Date.now();
      await write(connection.client, refusal(rule.rule.status, rule.rule.message));
      return 'again';
    default:
      return undefined;
  }
}

/** Sends the rest of the request and hands its answer on, both at once: the engine may answer before it has it all. */
async function answer(connection: Connection, message: Message, unread: Framing | undefined): Promise<Next> {
  const { engine, requests } = connection;
  let open = true;
  const sending = unread === undefined ? Promise.resolve() : relayBody(requests, unread, engine);
  const sent = sending.catch((error: unknown) => {
    if (error instanceof Truncated) engine.end();
    else cut(connection);
  });
  void Promise.all([sent, requests.ended]).then(() => {
    if (open && requests.empty) engine.end();
  });
  const next = await deliver(connection, message);
  open = false;
  if (next === 'again') await sent;
  return next;
}

async function deliver(connection: Connection, { call, rule }: Message): Promise<Next> {
  const { client, replies } = connection;
  const withheld = rule?.rule.act === 'kill-after' || rule?.rule.act === 'drop-reply' ? rule : undefined;
  const reply = await finalReply(connection, withheld === undefined);
  const framing = replyFraming(reply, call.method);
  const tunnel = reply.status === 101 || (isHijacked(call) && framing.by === 'close');
  call.status = reply.status;
  if (withheld !== undefined) {
    if (!tunnel && !isEndless(call)) await collect(replies, framing);
    call.endedAt = Date.now();
    await withheld.fire(call);
    cut(connection);
    return 'gone';
  }
  await write(client, reply.raw);
  const { fateOf } = connection.recorder;
  if (call.path === '/events' && fateOf !== undefined) {
    if (await relayEvents(replies, framing, client, fateOf)) return 'again';
    cut(connection);
    return 'gone';
  }
  if (!tunnel) await relayBody(replies, framing, client);
  call.endedAt = Date.now();
  if (tunnel) return 'tunnel';
  return framing.by === 'close' ? 'gone' : 'again';
}

/** Gives the reply's head after any interim ones (100 Continue). */
async function finalReply({ client, replies }: Connection, passOn: boolean): Promise<ReplyHead> {
  for (;;) {
    const reply = await readReplyHead(replies);
    if (reply.status >= 200 || reply.status === 101) return reply;
    if (passOn) await write(client, reply.raw);
  }
}

/** On a hijacked connection chunks are no framing: the engine takes the bytes as they stand. */
function bodyFraming(head: RequestHead, call: OpenCall): Framing {
  const framing = requestFraming(head);
  return isHijacked(call) && framing.by === 'chunks' ? { by: 'length', bytes: 0 } : framing;
}

function isJson(head: RequestHead): boolean {
  return head.headers.get('content-type')?.startsWith('application/json') === true;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

async function collect(reader: ByteReader, framing: Framing): Promise<{ raw: Buffer; data: string }> {
  const raw: Buffer[] = [];
  const data: Buffer[] = [];
  for await (const piece of readBody(reader, framing)) {
    raw.push(piece.raw);
    if (piece.data) data.push(piece.raw);
  }
  return { raw: Buffer.concat(raw), data: Buffer.concat(data).toString() };
}

async function relayBody(reader: ByteReader, framing: Framing, to: Socket): Promise<void> {
  for await (const piece of readBody(reader, framing)) await write(to, piece.raw);
}

function refusal(status: number, message: string): Buffer {
  const body = JSON.stringify({ message });
  return Buffer.from(
    `HTTP/1.1 ${String(status)} Refused\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${String(Buffer.byteLength(body))}\r\n\r\n${body}`,
  );
}
