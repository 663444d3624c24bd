import { canonicalJson, digest, type Json } from './canonical.ts';

/** Names a configuration by its content: `rev.<what a restart applies>.<all of it>`. */
export function revisionName(restart: Json, all: Json): string {
  return `rev.${digest(canonicalJson(restart))}.${digest(canonicalJson(all))}`;
}

/**
 * Whether a revision is what a node made of the wanted one, whose settings its server refuses:
 * `rev.<what a restart applies>.<what is refused>.kept`.
 */
export function isKeptFor(name: string | undefined, wanted: string): boolean {
  const [, , of, kept] = name?.split('.') ?? [];
  return kept === 'kept' && of === wanted.split('.')[2];
}

/** Whether going from one revision to the other takes a restart. */
export function revisionNeedsRestart(from: string, to: string): boolean {
  return from.split('.')[1] !== to.split('.')[1];
}
