import { expect, it } from 'vitest';
import { describeReplay } from './run.ts';

it('says how a fault is done again', () => {
  expect(describeReplay({ mode: 'preferred', seed: 7, kinds: ['kill', 'reports'], delay: '0s' }, 12)).toBe(
    'npm run test:chaos -- --mode preferred --seed 7 --from 12 --runs 12 --faults kill,reports --delay 0s',
  );
  expect(describeReplay({ mode: 'async', seed: 7 }, 1)).toBe(
    'npm run test:chaos -- --mode async --seed 7 --from 1 --runs 1',
  );
});
