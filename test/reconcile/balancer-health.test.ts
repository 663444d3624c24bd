import { expect, it } from 'vitest';
import { explainHealth } from '../../src/reconcile/balancer-health.ts';

const at = 'psql: error: connection to server at "127.0.0.1", port 9999 failed:';

it.each([
  ['a server that is in recovery', 'reader 10.9.0.21 on writer 10.9.0.20 7433 t\n', '', 'is in recovery'],
  ['nothing that listens', '', `${at} Connection refused\n\tIs the server running on that host?\n`, 'nothing listens'],
  [
    'words of pgpool',
    '',
    `${at} ERROR:  failed to create a backend 0 connection\nDETAIL:  not executing failover because failover_on_backend_error is off\n`,
    'no server that it could write to is reachable',
  ],
  ['a balancer that hangs', '', `${at} timeout expired\n`, 'says nothing for 4 s'],
  ['too many sessions', '', `${at} FATAL:  Sorry, too many clients already\n`, 'all its connections are taken'],
  ['anything else', '', 'x', 'does not answer on 9999'],
])('%s', (_, stdout, stderr, expected) => {
  const said = explainHealth({ code: 1, stdout, stderr });
  expect(said).toContain(expected);
  expect(said).not.toMatch(/failover|\n/);
});

it('is silent about one that is well', () => {
  expect(explainHealth({ code: 0, stdout: 'writer a 1 f reader b on', stderr: '' })).toBeUndefined();
});
