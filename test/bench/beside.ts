import { hangReplica } from '../chaos/hang-replica.ts';
import { orUndo, type Injected } from '../chaos/injected.ts';
import { runReports } from '../chaos/reports.ts';
import type { Stage } from '../chaos/stage.ts';
import { until } from '../e2e/support/until.ts';

/**
 * What is wrong on replicas from before their leader dies until it is released. Clients begin later: a session with the
 * balancer that is open when a replica hangs gets no answer as long as it does, whoever leads.
 */
export type Beside = (stage: Stage, leader: string) => Promise<Injected>;

/**
 * One replica hangs. Of two replicas, of which commits wait for one, the other can take over once the one that hangs is
 * no longer listed (R + W > N); until then the leader would be started in place.
 */
export async function hangOne(stage: Stage, leader: string): Promise<Injected> {
  const done = stage.daemon.steps().length;
  const fault = { kind: 'hang-replica', by: 'SIGSTOP', replica: 0, death: undefined } as const;
  const injected = await hangReplica(fault, stage, leader);
  const listed = until(
    'the replica that hangs is no longer listed',
    () => stage.daemon.steps().slice(done),
    (steps) => steps.includes(`group/${stage.group}: write-quorum`),
  );
  return orUndo(
    () => listed.then(() => injected),
    () => injected.release(),
  );
}

/** A report of ten minutes on each replica keeps it from replaying what the leader writes. */
export function reportOnAll(stage: Stage, leader: string): Promise<Injected> {
  return runReports({ kind: 'reports', conflict: 'drop', death: undefined }, stage, leader);
}
