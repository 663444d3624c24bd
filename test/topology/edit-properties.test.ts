import fc from 'fast-check';
import { expect, it } from 'vitest';
import { addReplicas, removeReplica, type Edited, type EditResult } from '../../src/topology/edit.ts';
import type { Topology } from '../../src/topology/model.ts';
import { writtenFiles, type Written } from './edit-files.ts';
import { parseSound } from './support.ts';

const env = { NAME: 'herd' };

function done(result: EditResult, text: string): Edited {
  if ('refused' in result) throw new Error(`refused: ${JSON.stringify(result.refused)}\n${text}`);
  return result;
}

function add(text: string, group: string, file: string): Edited {
  return done(addReplicas(text, group, 1, { file, env, cwd: '/project', others: [] }), text);
}

function remove(text: string, group: string, slot: number, file: string): Edited {
  return done(removeReplica(text, group, slot, { file, env, cwd: '/project', others: [] }), text);
}

/** What stands between the fixed pieces; throws where one of them is not there as it was. */
function findChunks(text: string, { fixed }: Written): string[] {
  const [head = '', ...others] = fixed;
  expect(text.startsWith(head)).toBe(true);
  let at = head.length;
  const chunks = others.map((piece, index) => {
    const found = index === others.length - 1 ? text.length - piece.length : text.indexOf(piece, at);
    expect(text.slice(found, found + piece.length)).toBe(piece);
    const chunk = text.slice(at, found);
    at = found + piece.length;
    return chunk;
  });
  expect(at).toBe(text.length);
  return chunks;
}

/** Groups by name; of the values that follow from the number of replicas nothing. */
function comparable(topology: Topology) {
  return topology.groups.map(({ nodes, balancer, ...group }) => ({
    ...group,
    balancer: { ...balancer, config: {} },
    nodes: nodes.map((node) => ({ ...node, parameters: { ...node.parameters, max_connections: '' } })),
  }));
}

// Files as these are made can be told apart in many ways: to look for the least that fails takes minutes.

const operations = fc.array(fc.record({ adds: fc.boolean(), group: fc.nat(), pick: fc.nat() }), {
  minLength: 10,
  maxLength: 10,
});

it('ten changes leave all else byte for byte, and each node what it was', { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(writtenFiles, operations, (written, steps) => {
      const { file } = written;
      const gone = new Set<string>();
      let { text } = written;
      for (const { adds, group: at, pick } of steps) {
        const index = at % written.groups.length;
        const { name = '' } = written.groups[index] ?? {};
        const before = parseSound(text, env, file);
        const slots = (before.groups[index]?.nodes ?? []).slice(1).map(({ slot }) => slot);
        const slot = adds ? undefined : slots[pick % Math.max(1, slots.length)];
        const edited = slot === undefined ? add(text, name, file) : remove(text, name, slot, file);
        if (slot !== undefined) gone.add(`${name} ${slot}`);

        const [expected, found] = [comparable(before), comparable(parseSound(edited.text, env, file))];
        const newNodes = found[index]?.nodes.filter((node) => !slots.includes(node.slot) && node.slot !== 0) ?? [];
        const kept = expected[index]?.nodes.filter((node) => node.slot !== slot) ?? [];
        expect(found).toEqual(
          expected.map((each, i) => (i === index ? { ...each, nodes: [...kept, ...newNodes] } : each)),
        );
        expect(newNodes.map((node) => node.slot)).toEqual(slot === undefined ? [Math.max(0, ...slots) + 1] : []);
        expect(edited.added).toEqual(newNodes.map((node) => node.name));

        const chunks = findChunks(edited.text, written);
        written.groups.forEach(({ name: owner, entries }, i) => {
          let from = 0;
          for (const entry of entries) {
            if (gone.has(`${owner} ${entry.slot}`)) continue;
            const place = chunks[i]?.indexOf(entry.text, from) ?? -1;
            expect(place, `${entry.text}\nin\n${chunks[i] ?? ''}`).toBeGreaterThanOrEqual(from);
            from = place + entry.text.length;
            for (const comment of entry.comments) expect(chunks[i]?.split(comment)).toHaveLength(2);
          }
        });
        text = edited.text;
      }
    }),
    { numRuns: 40, endOnFailure: true },
  );
});

it('what is added and removed again leaves the same bytes', { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(writtenFiles, fc.nat(), (written, at) => {
      const { file, text } = written;
      const index = at % written.groups.length;
      const { name = '', form } = written.groups[index] ?? {};
      const added = add(text, name, file);
      const slot = Math.max(...(added.topology.groups[index]?.nodes ?? []).map((node) => node.slot));
      const again = remove(added.text, name, slot, file).text;
      // where nothing was said about replicas, it now says that there are none
      if (form === 'absent') expect(parseSound(again, env, file)).toEqual(parseSound(text, env, file));
      else expect(again).toBe(text);
    }),
    { numRuns: 100, endOnFailure: true },
  );
});
