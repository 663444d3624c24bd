import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { revisionNeedsRestart } from '../../src/base/revision.ts';
import {
  formatHba,
  formatIdent,
  formatSettings,
  nodeSettings,
  parseSettings,
  parseStandbyNames,
  standbyNames,
  type NodeConfig,
} from '../../src/postgres/config.ts';
import { layoutOf } from '../../src/postgres/layout.ts';
import { nodeRevision, revisionEntries } from '../../src/postgres/revision.ts';

const layout = layoutOf([]);
const follower: NodeConfig = {
  name: 'lb1-replica1',
  number: 1,
  role: {
    is: 'follow',
    systemIdentifier: '7',
    leaderAddress: '10.0.0.3',
    slot: 'pgherd_1',
    reign: { leader: 2, fork: { timeline: 1, lsn: 4096 } },
  },
  superuser: 'postgres',
  database: 'shop',
  parameters: { max_connections: '200', work_mem: '4MB' },
  hba: [],
};
const settingsOf = (more: Partial<NodeConfig>): Readonly<Record<string, string>> =>
  nodeSettings({ ...follower, ...more }, layout);

describe('settings', () => {
  it('read back from the file as they were written, whatever is in them', () => {
    const values = fc.string({ unit: 'grapheme' }).filter((text) => !/[\r\n\0\u2028\u2029]/.test(text));
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z][a-z_]*(\.[a-z_]+)?$/), values), (settings) => {
        expect(parseSettings(formatSettings(settings))).toEqual({ ...settings });
      }),
    );
  });

  it('of whom commits wait for read back as they were written', () => {
    const names = fc.array(fc.string({ minLength: 1 }), { minLength: 1 });
    fc.assert(
      fc.property(fc.nat(), names, (num, each) => {
        expect(parseStandbyNames(standbyNames({ num, names: each }))).toEqual({ num, names: each });
      }),
    );
    expect(parseStandbyNames(standbyNames({ num: 2, names: [] }))).toEqual({ num: 2, names: [] });
    expect(parseStandbyNames(standbyNames('local'))).toBe('local');
    for (const other of ['*', 'a, b', 'FIRST 1 ("a")', 'ANY 1 (a)']) expect(parseStandbyNames(other)).toBeUndefined();
  });

  it('are quoted as postgresql.conf asks for', () => {
    expect(formatSettings({ b: "it's", a: 'C:\\x' })).toContain("\na = 'C:\\\\x'\nb = 'it''s'\n");
  });

  it("are the file's, but for those that pgherd needs as they are", () => {
    const parameters = { work_mem: '8MB', max_wal_senders: '5', hot_standby: 'off', wal_log_hints: 'off', port: '1' };
    expect(settingsOf({ parameters })).toMatchObject({
      work_mem: '8MB',
      max_wal_senders: '5',
      hot_standby: 'on',
      wal_log_hints: 'on',
      port: '5432',
      wal_level: 'replica',
      password_encryption: 'scram-sha-256',
    });
  });

  it("of a follower name its leader, its slot and no password; a leader's name nobody", () => {
    const { primary_conninfo: conninfo = '', primary_slot_name: slot } = settingsOf({});
    expect(slot).toBe('pgherd_1');
    expect(conninfo).toContain('host=10.0.0.3 port=5432 user=pgherd_replication');
    expect(conninfo).toContain('application_name=lb1-replica1');
    expect(conninfo).not.toContain('password=');
    expect(settingsOf({ role: { is: 'lead', systemIdentifier: '7', reign: { leader: 0 } } })).not.toHaveProperty(
      'primary_conninfo',
    );
  });
});

describe('access rules', () => {
  it("let nobody in over TCP without a password, and the file's lines come before the last", () => {
    const lines = formatHba({ ...follower, superuser: 'o"hara', hba: ['host all all 10.0.0.0/8 reject'] }).split('\n');
    expect(lines.filter((line) => line.includes('trust'))).toEqual([]);
    expect(lines.filter((line) => line.startsWith('host')).map((line) => line.split(' ').at(-1))).toEqual([
      'scram-sha-256',
      'scram-sha-256',
      'reject',
      'scram-sha-256',
    ]);
    expect(lines).toContain('local all "o""hara" peer map=pgherd');
  });

  it('let the postgres user of the system be the superuser and the monitor', () => {
    expect(formatIdent(follower)).toBe('pgherd postgres "postgres"\npgherd postgres pgherd_monitor\n');
  });
});

describe('a change of', () => {
  const revision = (more: Partial<NodeConfig>): string => nodeRevision({ ...follower, ...more }, layout).name;
  const parameters = (more: Record<string, string>): Partial<NodeConfig> => ({
    parameters: { ...follower.parameters, ...more },
  });
  it.each<[string, Partial<NodeConfig>, boolean]>([
    ['max_connections', parameters({ max_connections: '300' }), true],
    ['shared_buffers', parameters({ shared_buffers: '1GB' }), true],
    ["the node's name (cluster_name)", { name: 'other' }, true],
    ['work_mem', parameters({ work_mem: '8MB' }), false],
    ['access rules', { hba: ['host all all all reject'] }, false],
    [
      'the leader',
      {
        role: {
          is: 'follow',
          systemIdentifier: '7',
          leaderAddress: '10.0.0.4',
          slot: 'pgherd_1',
          reign: { leader: 0 },
        },
      },
      false,
    ],
    ['the role', { role: { is: 'lead', systemIdentifier: '7', reign: { leader: 0 } } }, false],
  ])('%s is another revision, restart %s', (...[, more, restarts]) => {
    expect(revision(more)).not.toBe(revision({}));
    expect(revisionNeedsRestart(revision({}), revision(more))).toBe(restarts);
  });

  it.each([
    ['restore_command', '/bin/false', { 13: true, 15: false, 17: false, 18: false }],
    ['autovacuum_max_workers', '4', { 13: true, 15: true, 17: true, 18: false }],
  ])('%s restarts the versions of PostgreSQL that want it, and one that nobody knows', (name, value, restarts) => {
    const needs = (major: number | undefined): boolean =>
      revisionNeedsRestart(revision({ major }), revision({ major, ...parameters({ [name]: value }) }));
    expect(Object.fromEntries(Object.keys(restarts).map((major) => [major, needs(Number(major))]))).toEqual(restarts);
    expect(needs(undefined)).toBe(true);
  });

  it('nothing is no other revision', () => {
    expect(revision({ parameters: { work_mem: '4MB', max_connections: '200' } })).toBe(revision({}));
  });
});

it('a revision is a folder of private files, in force when it says so', () => {
  const revision = nodeRevision(follower, layout);
  const entries = revisionEntries(revision, true);
  expect(entries[0]).toEqual({ type: 'directory', path: revision.name, mode: 0o700 });
  expect(entries.at(-1)).toEqual({ type: 'link', path: 'config', target: revision.name });
  expect(revisionEntries(revision, false)).toEqual(entries.slice(0, -1));
  const modes = entries.flatMap((entry) =>
    entry.type === 'file' ? [[entry.path.split('/')[1], entry.mode] as const] : [],
  );
  expect(Object.fromEntries(modes)).toMatchObject({
    start: 0o700,
    'postgresql.conf': 0o600,
    conninfo: 0o600,
    role: 0o600,
  });
  expect(revision.files['role']).toBe('follow 7 1\n');
  expect(revision.files['reign']).toBe('2.1.4096\n');
});
