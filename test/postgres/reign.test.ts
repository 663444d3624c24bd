import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nextReigns, recordEntries, type GroupRecord } from '../../src/postgres/record.ts';
import header from '../../src/postgres/scripts/prelude.sh';
import reignScript from '../../src/postgres/scripts/reign.sh';

const first: GroupRecord = {
  format: 2,
  epoch: 7,
  version: 1,
  systemIdentifier: '7',
  leader: 0,
  members: [0, 1, 2],
  secrets: { version: 1, fingerprint: 'f', superuser: 's', replication: 'r', monitor: 'm' },
};

/** What a record says after these reigns, the first of them that of the bootstrap. */
function recordAfter(...reigns: readonly string[]): GroupRecord {
  let record = first;
  for (const reign of reigns) {
    const [leader = 0, timeline = 0, lsn = 0] = reign.split('.').map(Number);
    const next = { leader, fork: { timeline, lsn } };
    record = { ...record, ...next, version: record.version + 1, reigns: nextReigns(record, next) };
  }
  return record;
}

let mount: string;
const home = (...path: readonly string[]): string => join(mount, 'pgherd', ...path);

beforeEach(async () => {
  mount = await mkdtemp(join(tmpdir(), 'reign-'));
  await mkdir(home('rev.a.b'), { recursive: true });
  await mkdir(home('records'));
  await mkdir(join(mount, 'pgdata', 'pg_wal'), { recursive: true });
  await writeFile(home('rev.a.b', 'reign'), 'some\n');
  await symlink('rev.a.b', home('loaded'));
});

afterEach(async () => {
  await rm(mount, { recursive: true });
});

type Volume = {
  /** The reign in which it took part; undefined: nothing says so. */
  readonly reign?: string;
  /** Timelines of its WAL. */
  readonly timelines: readonly number[];
  readonly record: GroupRecord;
};

/** Whether this volume is not to follow in that reign. */
async function isAstray({ reign, timelines, record }: Volume, next: string): Promise<boolean> {
  if (reign !== undefined) await symlink(reign, home('reign'));
  for (const entry of recordEntries(record)) {
    if (entry.type === 'file' && entry.path.startsWith('records/')) await writeFile(home(entry.path), entry.content);
  }
  for (const timeline of timelines) {
    const number = timeline.toString(16).toUpperCase().padStart(8, '0');
    await writeFile(join(mount, 'pgdata', 'pg_wal', `${number}0000000000000008`), '');
    await writeFile(join(mount, 'pgdata', 'pg_wal', `${number}.history`), '');
  }
  const script = `${header}${reignScript}if is_astray "$1"; then echo astray; else echo fine; fi\n`;
  await writeFile(home('rev.a.b', 'try'), script);
  const { stdout } = await promisify(execFile)('sh', [home('rev.a.b', 'try'), next]);
  return stdout === 'astray\n';
}

describe('a volume goes on', () => {
  it.each<[string, Volume, string]>([
    ['in its own reign', { reign: '1.1.80', timelines: [1, 2], record: recordAfter('1.1.80') }, '1.1.80'],
    ['that nobody has marked', { timelines: [1, 2], record: recordAfter('1.1.80', '2.1.70') }, '2.1.70'],
    ['from the first reign to the next', { reign: '0', timelines: [1], record: recordAfter('1.1.80') }, '1.1.80'],
    ['from one to the next', { reign: '1.1.80', timelines: [1, 2], record: recordAfter('1.1.80', '2.2.90') }, '2.2.90'],
    [
      'to one that comes from its own by others',
      { reign: '1.1.80', timelines: [2], record: recordAfter('1.1.80', '2.2.90', '0.3.95') },
      '0.3.95',
    ],
    [
      'that has nothing yet of the reign it took part in, whatever became of that',
      { reign: '1.1.80', timelines: [1], record: recordAfter('2.1.70') },
      '2.1.70',
    ],
    ['without WAL', { reign: '1.1.80', timelines: [], record: recordAfter('2.1.70') }, '2.1.70'],
    [
      'where the record is of an earlier version',
      { reign: '1.1.80', timelines: [2], record: { ...first, leader: 2, fork: { timeline: 2, lsn: 90 } } },
      '2.2.90',
    ],
  ])('%s', async (_, volume, next) => {
    expect(await isAstray(volume, next)).toBe(false);
  });

  it('that an earlier version has served since', async () => {
    await rm(home('rev.a.b', 'reign'));
    const record = recordAfter('1.1.80', '2.1.70');
    expect(await isAstray({ reign: '1.1.80', timelines: [2], record }, '2.1.70')).toBe(false);
  });
});

describe('a volume is set aside', () => {
  it.each<[string, Volume, string]>([
    [
      'where the next leader began a timeline of the same number',
      { reign: '1.1.80', timelines: [1, 2], record: recordAfter('1.1.80', '2.1.70') },
      '2.1.70',
    ],
    [
      'where that was at the same place',
      { reign: '1.1.80', timelines: [2], record: recordAfter('1.1.80', '2.1.80') },
      '2.1.80',
    ],
    [
      'where it was a leader before the one that leads now',
      { reign: '1.1.80', timelines: [2], record: recordAfter('1.1.80', '2.1.80', '1.2.90') },
      '1.2.90',
    ],
    [
      'that has WAL of a reign nobody knows of',
      { reign: '1.1.80', timelines: [2], record: recordAfter('2.1.70', '0.2.90') },
      '0.2.90',
    ],
    [
      'where the record is of an earlier version',
      { reign: '1.1.80', timelines: [2], record: { ...first, leader: 2, fork: { timeline: 1, lsn: 70 } } },
      '2.1.70',
    ],
  ])('%s', async (_, volume, next) => {
    expect(await isAstray(volume, next)).toBe(true);
  });
});
