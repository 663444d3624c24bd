import type { Socket } from 'node:net';

/** Above this many unread bytes a reader stops its socket until some are taken. */
const HIGH_WATER = 1024 * 1024;

/** The other side ended in the middle of a message. */
export class Truncated extends Error {
  override readonly name = 'Truncated';
}

/** Reads a socket by need and notices its end at once, also while nobody reads. */
export class ByteReader {
  /** Settles when the other side has sent its last byte, taken or not. */
  readonly ended: Promise<void>;
  readonly #socket: Socket;
  #pending: Buffer = Buffer.alloc(0);
  #over = false;
  #wake: (() => void)[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
      if (this.#pending.length > HIGH_WATER) socket.pause();
      this.#notify();
    });
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        this.#over = true;
        this.#notify();
        resolve();
      };
      socket.once('end', end).once('close', end);
    });
  }

  get empty(): boolean {
    return this.#pending.length === 0;
  }

  /** Waits for a byte; false when none will come. */
  async more(): Promise<boolean> {
    while (this.empty && !this.#over) await new Promise<void>((resolve) => this.#wake.push(resolve));
    return !this.empty;
  }

  /** Gives what has arrived, `max` bytes at most and one at least. */
  async take(max = Infinity): Promise<Buffer> {
    if (!(await this.more())) throw new Truncated('the connection ended in the middle of a message');
    return this.#cut(Math.min(max, this.#pending.length));
  }

  /** Gives everything up to and with `mark`. */
  async takeThrough(mark: string): Promise<Buffer> {
    for (;;) {
      const at = this.#pending.indexOf(mark);
      if (at >= 0) return this.#cut(at + mark.length);
      await this.#grown();
    }
  }

  async #grown(): Promise<void> {
    const before = this.#pending.length;
    while (this.#pending.length === before) {
      if (this.#over) throw new Truncated('the connection ended in the middle of a message');
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  #cut(length: number): Buffer {
    const bytes = this.#pending.subarray(0, length);
    this.#pending = this.#pending.subarray(length);
    if (this.#pending.length <= HIGH_WATER && this.#socket.isPaused()) this.#socket.resume();
    return bytes;
  }

  #notify(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}

/** Writes and waits while the other side is slow; a closed socket swallows the bytes. */
export async function write(socket: Socket, bytes: Buffer): Promise<void> {
  if (bytes.length === 0 || socket.destroyed || socket.writableEnded || socket.write(bytes)) return;
  await new Promise<void>((resolve) => {
    const go = (): void => {
      socket.off('drain', go).off('close', go);
      resolve();
    };
    socket.on('drain', go).on('close', go);
  });
}

/** Relays everything to the end, then passes the end on: one direction of a hijacked connection. */
export async function relayAll(from: ByteReader, to: Socket): Promise<void> {
  while (await from.more()) await write(to, await from.take());
  to.end();
}
