/** The engine sends null where dockerode's types promise a value. */
export function orNull<T>(value: T): T | null | undefined {
  return value;
}

/** A header of a reply that dockerode gives as a stream, which is let go of here. */
export function readHeader(reply: unknown, name: string): string | undefined {
  if (!isReply(reply)) return undefined;
  reply.resume();
  const value = reply.headers[name];
  return typeof value === 'string' ? value : undefined;
}

type Reply = { readonly headers: Readonly<Record<string, unknown>>; readonly resume: () => void };

function isReply(value: unknown): value is Reply {
  if (value === null || typeof value !== 'object' || !('headers' in value) || !('resume' in value)) return false;
  return value.headers !== null && typeof value.headers === 'object' && typeof value.resume === 'function';
}
