import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { write, type ByteReader } from './bytes.ts';
import { readBody, type Framing } from './http.ts';

/** What becomes of one event on its way; `cut`: the connection ends instead, in the middle of the line. */
export type EventFate = 'pass' | 'drop' | 'twice' | 'cut' | { readonly delay: number };

/** Relays a chunked stream of events line by line, each as its fate has it; false: it was cut. */
export async function relayEvents(
  replies: ByteReader,
  framing: Framing,
  client: Socket,
  fateOf: () => EventFate,
): Promise<boolean> {
  let rest = '';
  for await (const piece of readBody(replies, framing)) {
    if (!piece.data) continue;
    const lines = (rest + piece.raw.toString('utf8')).split(/(?<=\n)/);
    rest = lines.at(-1)?.endsWith('\n') === true ? '' : (lines.pop() ?? '');
    for (const line of lines) {
      const fate = fateOf();
      if (fate === 'cut') {
        await write(client, toChunk(line.slice(0, line.length / 2)));
        return false;
      }
      if (typeof fate === 'object') await delay(fate.delay);
      if (fate !== 'drop') await write(client, toChunk(line));
      if (fate === 'twice') await write(client, toChunk(line));
    }
  }
  await write(client, Buffer.from('0\r\n\r\n'));
  return true;
}

function toChunk(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
}
