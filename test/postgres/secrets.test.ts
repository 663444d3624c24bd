import { pbkdf2Sync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRecord, recordEntries, type GroupRecord } from '../../src/postgres/record.ts';
import { passwordFingerprint, scramVerifier } from '../../src/postgres/scram.ts';
import { bootstrapSql, passwordSql, slotsSql } from '../../src/postgres/sql.ts';

const record: GroupRecord = {
  format: 2,
  epoch: 1,
  version: 3,
  systemIdentifier: '7',
  leader: 0,
  members: [0, 1],
  secrets: { version: 2, fingerprint: 'generated', superuser: 'a:b\\c', replication: 'r:\\', monitor: 'm' },
};

describe('a verifier', () => {
  it('is that of RFC 7677: user, pencil', () => {
    const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
    expect(scramVerifier('pencil', salt)).toBe(
      'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
    );
  });

  it('is the same for what PostgreSQL takes for the same password', () => {
    const salt = Buffer.alloc(16);
    expect(scramVerifier('\u2168', salt)).toBe(scramVerifier('IX', salt));
  });

  it('does not tell the password, nor does the fingerprint, which its place is part of', () => {
    expect(scramVerifier('open sesame', Buffer.alloc(16))).not.toContain('sesame');
    expect(passwordFingerprint('pencil', 'shop/lb1')).toBe(
      pbkdf2Sync('pencil', 'pgherd shop/lb1', 4096, 4, 'sha256').toString('hex'),
    );
    expect(passwordFingerprint('pencil', 'shop/lb2')).not.toBe(passwordFingerprint('pencil', 'shop/lb1'));
  });
});

describe('a group record', () => {
  it('reads back as it was, with what a later version put in it', () => {
    const later = { ...record, quorum: ['a'], pause: { since: 1 } };
    const file = recordEntries(later).find(({ path }) => path === 'records/record.1.3.0.0-1.json');
    expect(parseRecord(file?.type === 'file' ? String(file.content) : '')).toEqual(later);
  });

  it('is private, its links come after what they lead to, and passwords are escaped for libpq', () => {
    const entries = recordEntries(record);
    expect(entries.map(({ path }) => path)).toEqual([
      'secrets.2.generated',
      'secrets.2.generated/superuser',
      'secrets.2.generated/pgpass',
      'secrets',
      'records',
      'records/record.1.3.0.0-1.json',
      'record',
    ]);
    expect(entries.filter((entry) => entry.type === 'file').map(({ mode }) => mode)).toEqual([0o600, 0o600, 0o600]);
    const pgpass = entries.find(({ path }) => path.endsWith('pgpass'));
    expect(pgpass).toMatchObject({ content: '*:*:*:pgherd_replication:r\\:\\\\\n*:*:*:pgherd_monitor:m\n' });
  });

  it.each([
    '',
    '{',
    'null',
    '[]',
    '{}',
    '{"format":2,"version":1,"leader":0,"members":[],"secrets":{}}',
    '{"format":1}',
  ])('is not made of %j', (text) => {
    expect(parseRecord(text)).toBeUndefined();
  });
});

describe('SQL', () => {
  const verifiers = { superuser: 'S', replication: 'R', monitor: 'M' };

  it('of a bootstrap gives the superuser its password last of all', () => {
    const sql = bootstrapSql({ superuser: 'postgres', database: 'shop', verifiers, followers: [1, 2] });
    const [before = '', after = ''] = sql.split('-- last');
    expect(before).toContain('CREATE DATABASE "shop";');
    expect(before).not.toContain('ALTER ROLE');
    expect(after.trim().split('\n').slice(-2)).toEqual(['ALTER ROLE "postgres" PASSWORD \'S\';', '-- end']);
    expect(bootstrapSql({ superuser: 'p', database: 'postgres', verifiers, followers: [] })).not.toContain(
      'CREATE DATABASE',
    );
  });

  it('never lets a name out of its quotes', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        const quoted = /^ALTER ROLE "([^]*)" PASSWORD 'v';$/.exec(passwordSql(name, 'v'))?.[1] ?? '';
        expect(quoted.replaceAll('""', '')).not.toContain('"');
        expect(quoted.replaceAll('""', '"')).toBe(name);
      }),
    );
  });

  it('names the slots of the followers, and none where there are none', () => {
    expect(slotsSql([1, 3]).join('\n')).toContain("ARRAY['pgherd_1', 'pgherd_3']::text[]");
    expect(slotsSql([]).join('\n')).toContain('ARRAY[]::text[]');
  });
});
