import { watch } from 'chokidar';
import { basename } from 'node:path';
import { canonicalJson } from '../base/canonical.ts';
import { isTopologyName } from '../topology/load.ts';
import type { WatchedDirectory } from './topology-directories.ts';

export type WatchHandlers = {
  /** Something that matters was written, moved, linked, touched or removed. */
  readonly onEvent: () => void;
  /** The directory as a whole may be another. */
  readonly onPlace: () => void;
  /** From now on events come in. */
  readonly onReady: () => void;
  readonly onError: (error: unknown) => void;
};

export type WatchDirectory = (
  directory: WatchedDirectory,
  handlers: WatchHandlers,
) => { readonly close: () => Promise<void> };

/**
 * Watches a directory, and never a file: editors replace files, and a watch would stay with the one replaced. Only
 * polling looks at the files themselves, as a directory does not show that one of its files was written to.
 */
export function watchByEvents(polling: { readonly interval: number } | undefined): WatchDirectory {
  return (directory, handlers) => {
    const matters = (name: string): boolean =>
      directory.names.includes(name) || (directory.listed && isTopologyName(name));
    const watcher = watch(directory.path, {
      depth: 0,
      ignoreInitial: true,
      followSymlinks: false,
      usePolling: polling !== undefined,
      ...(polling === undefined ? {} : { interval: polling.interval, binaryInterval: polling.interval }),
      ignored: (path) => path !== directory.path && (polling === undefined || !matters(basename(path))),
    });
    // The raw events name what changed in the directory whether or not it is watched by itself.
    watcher.on('raw', (_event, path: string | null) => {
      const name = path === null ? undefined : basename(path);
      if (name === undefined || matters(name)) handlers.onEvent();
      else if (name === basename(directory.path)) handlers.onPlace();
    });
    watcher.on('ready', handlers.onReady);
    watcher.on('error', handlers.onError);
    return {
      close: async () => {
        const closed = watcher.close();
        // An error that comes late would be thrown where nobody listens.
        watcher.on('error', () => undefined);
        await closed;
      },
    };
  };
}

type Open = { readonly close: () => Promise<void>; hasFailed: boolean; isClosed: boolean };

/** Keeps a watcher on each of a set of directories; those that failed are tried again at each update. */
export class Watchers {
  readonly #open = new Map<string, Open>();
  readonly #watchDirectory: WatchDirectory;
  readonly #handlers: WatchHandlers;
  #hasReported = false;
  #isClosed = false;

  constructor(watchDirectory: WatchDirectory, handlers: WatchHandlers) {
    this.#watchDirectory = watchDirectory;
    this.#handlers = handlers;
  }

  async update(directories: readonly WatchedDirectory[]): Promise<void> {
    const wanted = new Map(directories.map((directory) => [canonicalJson(directory), directory]));
    const stale = [...this.#open].filter(([key, { hasFailed }]) => hasFailed || !wanted.has(key));
    if (stale.every(([, { hasFailed }]) => !hasFailed)) this.#hasReported = false;
    // Closed first: two watchers of one path share what may be stale.
    await Promise.all(stale.map(([key]) => this.#close(key)));
    if (this.#isClosed) return;
    for (const [key, directory] of wanted) if (!this.#open.has(key)) this.#start(key, directory);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#open.keys()].map((key) => this.#close(key)));
  }

  async #close(key: string): Promise<void> {
    const open = this.#open.get(key);
    if (open === undefined) return;
    this.#open.delete(key);
    open.isClosed = true;
    await open.close();
  }

  #start(key: string, directory: WatchedDirectory): void {
    const state = { hasFailed: false, isClosed: false };
    const whileOpen = (run: () => void) => () => {
      if (!state.isClosed) run();
    };
    const { close } = this.#watchDirectory(directory, {
      onEvent: whileOpen(this.#handlers.onEvent),
      onPlace: whileOpen(this.#handlers.onPlace),
      // One that has failed says that it is ready all the same.
      onReady: whileOpen(() => {
        if (!state.hasFailed) this.#handlers.onReady();
      }),
      onError: (error) => {
        state.hasFailed = true;
        if (!state.isClosed) this.#report(error);
      },
    });
    this.#open.set(key, Object.assign(state, { close }));
  }

  /** Once, until all watchers work again: running out of watches is an error for every directory. */
  #report(error: unknown): void {
    if (this.#hasReported) return;
    this.#hasReported = true;
    this.#handlers.onError(error);
  }
}
