import { expect, it } from 'vitest';
import { renderLogLine } from '../../src/cli/render/log.ts';

it.each<readonly [string, Readonly<Record<string, unknown>>, string, string]>([
  [
    'a step',
    { cluster: 'shop', step: 'node/lb1: start', milliseconds: 312 },
    'done',
    'shop  node/lb1: start  done (312 ms)',
  ],
  ['a condition', { cluster: 'shop', condition: 'Ready', status: 'True' }, '', 'shop  Ready is True'],
  [
    'a condition with its reason',
    { cluster: 'shop', condition: 'ReplicasReady', status: 'False' },
    'lb1-replica1 does not stream',
    'shop  ReplicasReady is False  lb1-replica1 does not stream',
  ],
  [
    'what is to be done',
    { cluster: 'shop', run: '1', reasons: ['a: gone', 'b: stopped'], steps: ['x'] },
    'not as the file says',
    'shop  not as the file says: a: gone; b: stopped',
  ],
  ['what is about no cluster', { engine: 'unix:///x' }, 'the engine answers', 'the engine answers: unix:///x'],
  ['an error with its remedy', { remedy: 'start it' }, 'no engine', 'no engine: start it'],
])('the log on a terminal tells %s in one line', (_, record, message, line) => {
  expect(renderLogLine({ ...record, msg: message })).toBe(line);
});
