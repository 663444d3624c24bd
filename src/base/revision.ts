import { canonicalJson, digest, type Json } from './canonical.ts';

/** Names a configuration by its content: `rev.<what a restart applies>.<all of it>`. */
export function revisionName(restart: Json, all: Json): string {
  return `rev.${digest(canonicalJson(restart))}.${digest(canonicalJson(all))}`;
}

/**
 * The revision that a node has in place of the wanted one: the one found, if the node made it of the wanted one because its
 * server refuses the settings (`rev.<what a restart applies>.<what is refused>.kept`), else the wanted one.
 */
export function revisionInPlaceOf(wanted: string, found: string | undefined): string {
  const [, , refused] = found?.split('.') ?? [];
  return found !== undefined && isKept(found) && refused === wanted.split('.')[2] ? found : wanted;
}

/** Whether a node made it of one whose settings its server refuses. */
export function isKept(found: string | undefined): boolean {
  return found?.endsWith('.kept') === true;
}

/** Whether going from one revision to the other takes a restart. */
export function revisionNeedsRestart(from: string, to: string): boolean {
  return from.split('.')[1] !== to.split('.')[1];
}
