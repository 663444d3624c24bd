import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LedHerd } from './failover-herd.ts';
import { until } from './support/until.ts';

let group: LedHerd;

const replication = { mode: 'quorum', sync_replicas: 1 };

beforeAll(async () => {
  group = await LedHerd.prepare({ replication, failover: { mode: 'manual' } }, (file) => ({
    ...file,
    postgres: { ...file.postgres, parameters: { max_connections: 30 } },
  }));
  await group.bringUp('daemon');
  await untilListed('1-2');
  await group.addRow('lb1-primary');
});

afterAll(async () => {
  await group.end();
});

async function untilListed(list: string | undefined): Promise<void> {
  await until(
    `the record lists ${list ?? 'nothing'}; the daemon said\n${group.daemon.running.stdout().slice(-3000)}`,
    () => group.listed('lb1-primary'),
    (found) => found === list,
    60_000,
  );
}

/** Waits until commits are said to be so. */
async function untilCommits(reason: string): Promise<string> {
  const found = await until(
    `commits are ${reason}; the daemon said\n${group.daemon.running.stdout().slice(-3000)}`,
    () => group.daemon.condition('CommitsDurable'),
    (condition) => condition?.reason === reason,
    60_000,
  );
  return found?.message ?? '';
}

describe('in a group whose commits wait for a quorum', () => {
  it('settings inside the server that have commits not wait are shown, and by whom', async () => {
    await group.sql('lb1-primary', "CREATE ROLE app LOGIN PASSWORD 'app'; ALTER ROLE app SET synchronous_commit = off");
    expect(await untilCommits('SettingsOverride')).toContain('role app: synchronous_commit=off');
    const { stdout } = await group.pgherd(['status']);
    expect(stdout).toContain('role app: synchronous_commit=off');
    await group.sql('lb1-primary', 'ALTER ROLE app RESET synchronous_commit');
    await untilCommits('AsExpected');
  });
});
