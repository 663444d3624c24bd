import { psql } from '../e2e/support/psql.ts';

/** A server under test. */
export type TestNode = {
  readonly name: string;
  readonly container: string;
  /** On the cluster's network, which the host can reach. */
  readonly address: string;
};

export type Leader = { readonly node: TestNode; readonly timeline: number };

const isWritable = 'SELECT CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END';

/** The nodes that say they are primaries, that of the newest timeline first; what does not answer says nothing. */
export async function findLeaders(nodes: readonly TestNode[]): Promise<readonly Leader[]> {
  const found = await Promise.all(
    nodes.map(async (node) => {
      const digits = await psql(node.container, isWritable, { timeoutMs: 5000 }).catch(() => '');
      return digits === '' ? [] : [{ node, timeline: Number.parseInt(digits, 16) }];
    }),
  );
  return found.flat().toSorted((a, b) => b.timeline - a.timeline);
}
