import type { ArchiveEntry } from '../base/archive.ts';
import { revisionName } from '../base/revision.ts';
import {
  conninfo,
  formatHba,
  formatIdent,
  formatSettings,
  nodeSettings,
  restartSettings,
  type NodeConfig,
} from './config.ts';
import { formatReign, type Layout } from './layout.ts';
import { reignSql } from './reigns.ts';
import { heartbeatSql } from './report.ts';
import { nodeScripts } from './scripts.ts';

/** A node's configuration as files, named by what is in it. */
export type Revision = {
  /** `rev.<what a restart applies>.<all of it>`. */
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
};

export function nodeRevision(config: NodeConfig, layout: Layout): Revision {
  const { role } = config;
  const settings = nodeSettings(config, layout);
  const files: Record<string, string> = {
    'postgresql.conf': formatSettings(settings),
    'pg_hba.conf': formatHba(config),
    'pg_ident.conf': formatIdent(config),
    role: `${role.is} ${role.is === 'bootstrap' ? '-' : role.systemIdentifier} ${String(config.number)}\n`,
    superuser: config.superuser,
    database: config.database,
    ...(role.is === 'bootstrap' ? {} : { reign: `${formatReign(role.reign)}\n` }),
    ...(role.is === 'follow' ? { conninfo: conninfo(config, role.leaderAddress, layout), slot: role.slot } : {}),
    ...(role.is === 'follow' && role.held === true ? { quorum: '' } : {}),
    'report.sql': heartbeatSql,
    'reign.sql': reignSql,
    ...nodeScripts,
  };
  const name = revisionName(restartSettings(settings, config.major), files);
  return { name, files, settings };
}

/** The revision below `pgherd/`; with `inForce`, also the link that puts it in force at the next start. */
export function revisionEntries(revision: Revision, inForce: boolean): readonly ArchiveEntry[] {
  return [
    { type: 'directory', path: revision.name, mode: 0o700 },
    ...Object.entries(revision.files).map(([path, content]): ArchiveEntry => ({
      type: 'file',
      path: `${revision.name}/${path}`,
      content,
      mode: path in nodeScripts ? 0o700 : 0o600,
    })),
    ...(inForce ? [{ type: 'link', path: 'config', target: revision.name } as const] : []),
  ];
}
