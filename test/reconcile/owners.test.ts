import { expect, it } from 'vitest';
import { Owners } from '../../src/reconcile/kinds/node-folder.ts';

const id = 'a'.repeat(64);
const next = 'b'.repeat(64);

it('an owner that was read holds for the image in one run, and for the container in those after it', () => {
  const kept = new Map<string, number>();
  const first = new Owners(kept);
  first.note(id, 'postgres:17', 'postgres', 999);
  expect(first.find(next, 'postgres:17', 'postgres')).toBe(999);
  const second = new Owners(kept);
  expect(second.find(id, 'postgres:17', 'postgres')).toBe(999);
  expect(second.find(id, 'postgres:17', 'other')).toBeUndefined();
  // The tag may have moved meanwhile.
  expect(second.find(next, 'postgres:17', 'postgres')).toBeUndefined();
});

it('a container that is known by its name only may be another one in the next run', () => {
  const kept = new Map<string, number>();
  new Owners(kept).note('shop-lb1-primary', 'postgres:17', 'postgres', 999);
  expect(new Owners(kept).find('shop-lb1-primary', 'postgres:17', 'postgres')).toBeUndefined();
});
