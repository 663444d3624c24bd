import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';

const iterations = 4096;

/**
 * What PostgreSQL stores for a password, so that the password itself never travels in SQL.
 * `salt`: 16 random bytes. Source: RFC 5803 and https://www.postgresql.org/docs/17/catalog-pg-authid.html
 */
export function scramVerifier(password: string, salt: Buffer): string {
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256');
  const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const stored = createHash('sha256').update(hmac(salted, 'Client Key')).digest('base64');
  const server = hmac(salted, 'Server Key').toString('base64');
  return `SCRAM-SHA-256$${String(iterations)}:${salt.toString('base64')}$${stored}:${server}`;
}

/**
 * Eight hexadecimal digits that change with a password: enough to notice a change, too few to test guesses against.
 * `scope` keeps equal passwords of different groups apart.
 */
export function passwordFingerprint(password: string, scope: string): string {
  return pbkdf2Sync(password, `pgherd ${scope}`, iterations, 4, 'sha256').toString('hex');
}
