import type { ArchiveEntry } from '../base/archive.ts';
import { revisionName } from '../base/revision.ts';
import { balancerParameters, formatParameters, type BalancerConfig } from './config.ts';
import awaitReady from './scripts/await.sh';
import health from './scripts/health.sh';
import hosts from './scripts/hosts.sh';
import start from './scripts/start.sh';
import watch from './scripts/watch.sh';

/** Where everything pgherd hands to a balancer stands, in the container. */
export const home = '/etc/pgbalancer';

/** A link that tells what the readers' names were last made to mean; in a folder of root's, who alone may write it. */
export const readersLink = '/etc/pgherd-readers';

/** Rewrites the readers' lines of the hosts file; run with `sh -c`, since it is needed before any revision is. */
export const hostsScript = hosts;

const scripts = { start, health, await: awaitReady, watch };

/** A password file for the roles that go through the balancer without being asked. */
export type BalancerSecrets = {
  readonly superuser: { readonly name: string; readonly password: string };
  readonly monitor: { readonly name: string; readonly password: string };
};

export type BalancerRevision = {
  /** As `revisionName` makes it; passwords count by their version only. */
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly parameters: Readonly<Record<string, string>>;
};

/** `secretsName`: names the version of the passwords that `secretEntries` puts beside it. */
export function balancerRevision(config: BalancerConfig, secretsName: string): BalancerRevision {
  const parameters = balancerParameters(config, `${home}/config`);
  const read = {
    'pgbalancer.conf': formatParameters(parameters),
    binary: config.flavor === 'pgpool' ? 'pgpool' : 'pgbalancer',
    secrets: secretsName,
  };
  const files = { ...read, ...scripts };
  return { name: revisionName(read, files), files, parameters };
}

/**
 * The revision below /etc, passwords included, with the link that puts it in force at the next start.
 * pool_passwd: https://www.pgpool.net/docs/46/en/html/auth-aes-encrypted-password.html
 */
export function balancerEntries(revision: BalancerRevision, secrets: BalancerSecrets): readonly ArchiveEntry[] {
  const top = home.slice('/etc/'.length);
  const folder = `${top}/${revision.name}`;
  const { superuser, monitor } = secrets;
  const passwords = {
    pool_passwd: `${superuser.name}:TEXT${escape(superuser.password)}\n${monitor.name}:TEXT${monitor.password}\n`,
    pgpass: `*:*:*:${monitor.name}:${monitor.password}\n`,
  };
  return [
    { type: 'directory', path: top, mode: 0o755 },
    { type: 'directory', path: folder, mode: 0o700 },
    ...Object.entries({ ...revision.files, ...passwords }).map(([path, content]): ArchiveEntry => ({
      type: 'file',
      path: `${folder}/${path}`,
      content,
      mode: path in scripts ? 0o700 : 0o600,
    })),
    { type: 'link', path: `${top}/config`, target: revision.name },
    { type: 'link', path: `${top}/pgbalancer.conf`, target: 'config/pgbalancer.conf' },
  ];
}

function escape(password: string): string {
  return password.replaceAll('\\', '\\\\').replaceAll(':', '\\:');
}
