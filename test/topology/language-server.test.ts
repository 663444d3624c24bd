import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTopology } from '../../src/topology/load.ts';
import { openEditor, type Editor } from './language-client.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const patience = 60_000;
let editor: Editor;

beforeAll(async () => {
  editor = await openEditor(`${root}schemas/topology.schema.json`);
}, patience);

afterAll(() => {
  editor.close();
});

function read(file: string): string {
  return readFileSync(root + file, 'utf8');
}

function list(folder: string, pattern: RegExp): readonly string[] {
  return readdirSync(root + folder)
    .filter((file) => pattern.test(file))
    .map((file) => `${folder}/${file}`);
}

/** Lines in order, each once: how many ways there are to say what is wrong in one does not count. */
function lines(shown: readonly { readonly line: number }[]): readonly number[] {
  return [...new Set(shown.map(({ line }) => line))].toSorted((a, b) => a - b);
}

// What only pgherd knows (a port given twice, an address outside its subnet) is not in the schema.
describe('an editor with yaml-language-server', () => {
  it.each(list('examples', /\.(yaml|json)$/))(
    'finds nothing wrong with %s',
    async (file) => {
      expect((await editor.open(root + file, read(file))).shown).toEqual([]);
    },
    patience,
  );

  it.each(list('test/topology/broken', /\.yaml$/))(
    'marks the lines of %s that validate does',
    async (file) => {
      const { diagnostics } = parseTopology(read(file), file, {}, root);
      const errors = diagnostics.filter(({ severity }) => severity === 'error');
      expect(errors.length).toBeGreaterThan(0);
      expect(lines((await editor.open(root + file, read(file))).shown)).toEqual(lines(errors));
    },
    patience,
  );

  it(
    'says of a text that does not fit what validate says, less what it got instead',
    async () => {
      const file = 'test/topology/broken/patterns.yaml';
      const { diagnostics } = parseTopology(read(file), file, {}, root);
      const said = (await editor.open(root + file, read(file))).shown.map(({ line, message }) => `${line}: ${message}`);
      expect(said).not.toEqual([]);
      const validated = diagnostics.map(({ line, message }) => `${line}: ${message}`);
      for (const each of said) expect(validated.filter((one) => one.startsWith(each))).not.toEqual([]);
    },
    patience,
  );

  it(
    'offers fields and values, and tells what they mean',
    async () => {
      const text = 'cluster_name: shop\nreplication:\n  mode: \n\nbalancers:\n  - name: lb1\n    \n';
      const { uri } = await editor.open(`${root}new.yaml`, text);
      expect(await editor.complete(uri, 3, 9)).toEqual(['async', 'quorum']);
      expect(await editor.complete(uri, 7, 5)).toEqual(expect.arrayContaining(['port', 'replicas', 'primary']));
      expect(await editor.complete(uri, 7, 5)).not.toContain('name');
      expect(await editor.complete(uri, 4, 1)).toEqual(expect.arrayContaining(['network', 'postgres', 'failover']));
      expect(await editor.hover(uri, 6, 6)).toContain('Name of the group.');
      expect(await editor.hover(uri, 3, 4)).toContain('a commit does not wait');
    },
    patience,
  );
});
