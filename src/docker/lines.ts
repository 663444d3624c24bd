import { StringDecoder } from 'node:string_decoder';
import { PgherdError } from '../base/error.ts';

/** Characters of a line. */
const longest = 2 ** 20;

/** The lines of a byte stream, without what ends them; a last one without a newline counts. */
export async function* readLines(source: AsyncIterable<Buffer>): AsyncGenerator<string, void, undefined> {
  const decoder = new StringDecoder('utf8');
  let begun = '';
  for await (const chunk of source) {
    const [first = '', ...others] = decoder.write(chunk).split('\n');
    begun = limited(begun + first);
    for (const next of others) {
      yield begun.replace(/\r$/, '');
      begun = limited(next);
    }
  }
  begun += decoder.end();
  if (begun !== '') yield begun.replace(/\r$/, '');
}

function limited(line: string): string {
  if (line.length <= longest) return line;
  throw new PgherdError('engine-error', `a line of more than ${longest} characters came from the engine`);
}
