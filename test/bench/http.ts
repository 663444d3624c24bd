import type { ByteReader } from './bytes.ts';

/** How the end of a body is known (RFC 9112, section 6). */
export type Framing =
  | { readonly by: 'length'; readonly bytes: number }
  | { readonly by: 'chunks' }
  /** Until the connection ends. */
  | { readonly by: 'close' };

const EMPTY: Framing = { by: 'length', bytes: 0 };

export type RequestHead = {
  readonly raw: Buffer;
  readonly method: string;
  readonly target: string;
  readonly headers: ReadonlyMap<string, string>;
};

export type ReplyHead = {
  readonly raw: Buffer;
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
};

/** A part of a body as it stood on the wire; `data` is false for chunk sizes, separators and trailers. */
export type Piece = { readonly raw: Buffer; readonly data: boolean };

const END_OF_HEAD = '\r\n\r\n';
const LINE_END = '\r\n';

export async function readRequestHead(reader: ByteReader): Promise<RequestHead> {
  const raw = await reader.takeThrough(END_OF_HEAD);
  const [first = '', ...lines] = raw.toString('latin1').split(LINE_END);
  const [method = '', target = ''] = first.split(' ');
  if (method === '' || !target.startsWith('/')) throw new Error(`not a request line: ${JSON.stringify(first)}`);
  return { raw, method, target, headers: parseHeaders(lines) };
}

export async function readReplyHead(reader: ByteReader): Promise<ReplyHead> {
  const raw = await reader.takeThrough(END_OF_HEAD);
  const [first = '', ...lines] = raw.toString('latin1').split(LINE_END);
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1];
  if (status === undefined) throw new Error(`not a status line: ${JSON.stringify(first)}`);
  return { raw, status: Number(status), headers: parseHeaders(lines) };
}

function parseHeaders(lines: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return headers;
}

export function requestFraming(head: RequestHead): Framing {
  return statedFraming(head.headers) ?? EMPTY;
}

export function replyFraming(head: ReplyHead, method: string): Framing {
  if (method === 'HEAD' || head.status < 200 || head.status === 204 || head.status === 304) return EMPTY;
  return statedFraming(head.headers) ?? { by: 'close' };
}

function statedFraming(headers: ReadonlyMap<string, string>): Framing | undefined {
  if (/\bchunked\b/i.test(headers.get('transfer-encoding') ?? '')) return { by: 'chunks' };
  const length = headers.get('content-length');
  return length === undefined ? undefined : { by: 'length', bytes: Number(length) };
}

/** Gives a body piece by piece as it arrives; ends exactly where the body ends. */
export async function* readBody(reader: ByteReader, framing: Framing): AsyncGenerator<Piece, void, void> {
  switch (framing.by) {
    case 'length':
      return yield* readExactly(reader, framing.bytes, true);
    case 'chunks':
      return yield* readChunks(reader);
    case 'close':
      while (await reader.more()) yield { raw: await reader.take(), data: true };
  }
}

async function* readExactly(reader: ByteReader, bytes: number, data: boolean): AsyncGenerator<Piece, void, void> {
  for (let left = bytes; left > 0;) {
    const raw = await reader.take(left);
    left -= raw.length;
    yield { raw, data };
  }
}

async function* readChunks(reader: ByteReader): AsyncGenerator<Piece, void, void> {
  for (;;) {
    const line = await reader.takeThrough(LINE_END);
    yield { raw: line, data: false };
    const size = Number.parseInt(line.toString('latin1'), 16);
    if (Number.isNaN(size)) throw new Error(`not a chunk size: ${JSON.stringify(line.toString('latin1'))}`);
    if (size === 0) break;
    yield* readExactly(reader, size, true);
    yield* readExactly(reader, LINE_END.length, false);
  }
  for (;;) {
    const trailer = await reader.takeThrough(LINE_END);
    yield { raw: trailer, data: false };
    if (trailer.length === LINE_END.length) return;
  }
}
