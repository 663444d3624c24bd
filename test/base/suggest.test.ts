import { expect, it } from 'vitest';
import { suggest } from '../../src/base/suggest.ts';

const names = ['port', 'pcp_port', 'rest_api_port', 'image', 'replicas', 'memory', 'container_name'];

it.each([
  ['prot', 'port'],
  ['replica', 'replicas'],
  ['imgae', 'image'],
  ['containerName', 'container_name'],
  ['pcp-port', 'pcp_port'],
  ['colour', undefined],
  ['x', undefined],
])('%s is most likely %s', (word, expected) => expect(suggest(word, names)).toBe(expected));
