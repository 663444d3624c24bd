import type { ExecResult } from '../docker/types.ts';

/**
 * What a balancer's failed health check tells, undefined where it passed. Of the words of pgpool only what is known to
 * be meant is said: it speaks of failovers that pgherd has it leave alone.
 */
export function explainHealth({
  code,
  stdout,
  stderr,
}: Pick<ExecResult, 'code' | 'stdout' | 'stderr'>): string | undefined {
  if (code === 0) return undefined;
  if (/\bwriter \S+ \S+ t$/m.test(stdout)) return 'the server it writes to is in recovery, and takes no writes';
  const where = 'does not answer on 9999';
  if (/connection refused/i.test(stderr) && stderr.includes('port 9999')) return `${where}: nothing listens there yet`;
  if (/failed to create a backend|not executing failover|all backend nodes are down/i.test(stderr)) {
    return `${where}: no server that it could write to is reachable`;
  }
  if (/timeout expired/i.test(stderr)) return `${where}: it takes the connection, and says nothing for 4 s`;
  if (/password authentication failed/i.test(stderr)) return `${where}: it refuses the password of pgherd_monitor`;
  if (/too many clients|remaining connection slots/i.test(stderr)) return `${where}: all its connections are taken`;
  return where;
}
