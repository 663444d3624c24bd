import { psql } from '../e2e/support/psql.ts';
import { until } from '../e2e/support/until.ts';
import type { Fault } from './fault-sequence.ts';
import { dieLater, harm, orUndo, type Injected } from './injected.ts';
import type { TestNode } from './nodes.ts';
import { openSession, type Session } from './session.ts';
import type { Stage } from './stage.ts';

type Reports = Extract<Fault, { kind: 'reports' }>;

const table = 'reported';
const reporter = 'chaos_report';

/** Has a report run on each replica, and the leader write what cannot be replayed as long as it does. */
export async function runReports(fault: Reports, stage: Stage, leader: string): Promise<Injected> {
  const replicas = stage.followers(leader);
  await psql(
    leader,
    `DROP TABLE IF EXISTS ${table}; CREATE TABLE ${table} AS SELECT generate_series(1, 1000) AS value`,
  );
  const sessions: Session[] = [];
  const release = async (): Promise<void> => {
    // The server would notice only at the end of a report that nobody reads it.
    await Promise.all(stage.nodes.map(endReports));
    for (const session of sessions) session.close();
  };
  return orUndo(async () => {
    for (const replica of replicas) sessions.push(await beginReport(replica, stage.password));
    await psql(leader, conflicts[fault.conflict], { timeoutMs: 10_000 });
    return harm(() => dieLater(fault.death, leader), { release });
  }, release);
}

/** What takes a lock that a report holds, and what takes away rows that it may still read. */
const conflicts: Readonly<Record<Reports['conflict'], string>> = {
  drop: `DROP TABLE ${table}`,
  vacuum: `DELETE FROM ${table}; VACUUM ${table}`,
};

async function beginReport({ address, container }: TestNode, password: string): Promise<Session> {
  await until(
    `${container} has what it is to report`,
    () => psql(container, `SELECT count(*) FROM ${table}`),
    (count) => count === '1000',
  );
  const options = `-c application_name=${reporter} -c default_transaction_isolation=repeatable\\ read`;
  const session = await openSession({ host: address, port: 5432, password, options }, 10_000);
  const begun = [
    await session.query('BEGIN READ ONLY', [], 10_000),
    await session.query(`SELECT count(*) FROM ${table}`, [], 10_000),
  ];
  const failed = begun.find(({ is }) => is !== 'done');
  if (failed !== undefined) {
    session.close();
    throw new Error(`${container} does not begin its report: ${JSON.stringify(failed)}`);
  }
  const tenMinutes = 600_000;
  void session.query('SELECT pg_sleep(600)', [], tenMinutes);
  return session;
}

/** One that hangs or is gone has nothing to end. */
async function endReports({ container }: TestNode): Promise<void> {
  const all = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '${reporter}'`;
  await psql(container, all, { timeoutMs: 5000 }).catch(() => undefined);
}
