import type { LogLine } from '../docker/operator.ts';

/** The lines of several logs in order of time, each log in its own order; one line of each is held at most. */
export async function* mergeLogs<W>(
  logs: readonly { readonly writer: W; readonly lines: AsyncIterable<LogLine> }[],
): AsyncGenerator<{ readonly writer: W; readonly line: LogLine }, void, undefined> {
  const heads = await Promise.all(
    logs.map(async ({ writer, lines }) => {
      const iterator = lines[Symbol.asyncIterator]();
      return { writer, iterator, next: await iterator.next() };
    }),
  );
  for (;;) {
    let first: (typeof heads)[number] | undefined;
    let line: LogLine | undefined;
    for (const head of heads) {
      if (head.next.done === true || (line !== undefined && head.next.value.at >= line.at)) continue;
      [first, line] = [head, head.next.value];
    }
    if (first === undefined || line === undefined) return;
    yield { writer: first.writer, line };
    first.next = await first.iterator.next();
  }
}
