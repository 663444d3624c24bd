import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { completion } from '../../src/cli/commands/completion.ts';
import { schema } from '../../src/cli/commands/schema.ts';
import type { Output } from '../../src/cli/output.ts';

function collectOutput(format: 'text' | 'json'): { output: Output; printed: string[] } {
  const printed: string[] = [];
  return {
    output: { format, colour: false, columns: 100, print: (text) => printed.push(`${text}\n`), note: () => undefined },
    printed,
  };
}

it('the schema that is printed is the file, to the byte', async () => {
  const { output, printed } = collectOutput('text');
  expect(schema(output)).toBe(0);
  expect(printed.join('')).toBe(await readFile('schemas/topology.schema.json', 'utf8'));
});

it.each([
  ['bash', /^complete -F _pgherd pgherd$/m],
  ['zsh', /^#compdef pgherd$/m],
  ['fish', /^complete -c pgherd /m],
])('the script for %s is printed, as JSON too', (shell, line) => {
  const [text, json] = [collectOutput('text'), collectOutput('json')];
  expect([completion([shell], text.output), completion([shell], json.output)]).toEqual([0, 0]);
  expect(text.printed.join('')).toMatch(line);
  expect(JSON.parse(json.printed.join(''))).toEqual({ shell, script: text.printed.join('') });
});
