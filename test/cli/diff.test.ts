import { expect, it } from 'vitest';
import { painter } from '../../src/cli/output.ts';
import { renderDiff } from '../../src/cli/render/diff.ts';

it('shows what differs with three lines around it, and nothing that steers a terminal', () => {
  const before = ['1', '2', '3', '4', 'five: \u001b[31m', '6', ''].join('\r\n');
  expect(renderDiff('a.yaml', before, before.replace('4', 'four'), painter(false))).toBe(
    [
      '--- a.yaml',
      '+++ a.yaml',
      '@@ -1,6 +1,6 @@',
      ...[' 1', ' 2', ' 3', '-4', '+four', ' five: \uFFFD[31m', ' 6'],
    ].join('\n'),
  );
});
