/** A file, folder or link to be put into a container; the owner is given by who writes it. */
export type ArchiveEntry =
  | { readonly type: 'file'; readonly path: string; readonly content: string | Buffer; readonly mode: number }
  | { readonly type: 'directory'; readonly path: string; readonly mode: number }
  | { readonly type: 'link'; readonly path: string; readonly target: string };
