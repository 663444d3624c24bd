import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { completion } from '../../src/cli/commands/completion.ts';
import { schema } from '../../src/cli/commands/schema.ts';
import { recordOutput } from './recorder.ts';

it('the schema that is printed is the file, to the byte', async () => {
  const { output, printed } = recordOutput();
  expect(schema(output)).toBe(0);
  expect(`${printed.join('')}\n`).toBe(await readFile('schemas/topology.schema.json', 'utf8'));
});

it.each([
  ['bash', /^complete -F _pgherd pgherd$/m],
  ['zsh', /^#compdef pgherd$/m],
  ['fish', /^complete -c pgherd /m],
])('the script for %s is printed, as JSON too', (shell, line) => {
  const [text, json] = [recordOutput(), recordOutput({ format: 'json' })];
  expect([completion([shell], text.output), completion([shell], json.output)]).toEqual([0, 0]);
  expect(text.printed.join('')).toMatch(line);
  expect(JSON.parse(json.printed.join(''))).toEqual({ shell, script: `${text.printed.join('')}\n` });
});
