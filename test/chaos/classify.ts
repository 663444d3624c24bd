import type { Outcome, Path } from './verdict.ts';

/** What came of a statement that was to be sent. */
export type Answer =
  | {
      readonly is: 'done';
      /** Rows it inserted. */
      readonly count: number;
      readonly rows: readonly (readonly unknown[])[];
      readonly warnings: readonly string[];
    }
  | {
      readonly is: 'refused';
      readonly severity: string;
      /** SQLSTATE. */
      readonly code: string;
      readonly message: string;
      readonly warnings: readonly string[];
    }
  /** The connection ended after it was sent. */
  | { readonly is: 'cut'; readonly message: string }
  /** No answer in time. */
  | { readonly is: 'late' }
  /** There was no session to send it by. */
  | { readonly is: 'unsent'; readonly message: string };

/** Of errors of a session with the balancer, those that PostgreSQL raises before a commit and the balancer never. */
const surelyRolledBack = new Set([
  '25006', // read_only_sql_transaction
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '42P01', // undefined_table
]);

/** A wait for replicas that was given up: the transaction is committed here, and perhaps nowhere else. */
const waitGivenUp = /cancell?ing (?:the )?wait for synchronous replication/i;

/**
 * What is known of a write. Where there is any doubt it is unknown, which never counts for or against a cluster.
 *
 * A server's own ERROR means that it rolled back: once the commit record is written nothing is an ERROR any more. A
 * FATAL proves nothing, as it also ends a session that waits for replicas after its commit. The balancer has errors of
 * its own, for servers whose answer it has not got.
 */
export function classify(answer: Answer, path: Path): Outcome {
  switch (answer.is) {
    case 'unsent':
      return 'failed';
    case 'cut':
    case 'late':
      return 'unknown';
    case 'done':
      return answer.count === 1 && !hasGivenUp(answer.warnings) ? 'acknowledged' : 'unknown';
    case 'refused': {
      if (hasGivenUp(answer.warnings)) return 'unknown';
      const isCertain = answer.severity === 'ERROR' && (path === 'direct' || surelyRolledBack.has(answer.code));
      return isCertain ? 'failed' : 'unknown';
    }
  }
}

function hasGivenUp(warnings: readonly string[]): boolean {
  return warnings.some((text) => waitGivenUp.test(text));
}
