/** Files of a container: its own root, and a volume mounted somewhere in it. */

export type FakeFile =
  | { readonly type: 'file'; readonly content: string }
  | { readonly type: 'directory' }
  | { readonly type: 'link'; readonly target: string };

/** Entries by absolute path, `/` being the top of the tree. */
export class FakeTree {
  readonly entries = new Map<string, FakeFile>();
  /** Grows whenever a path may lead elsewhere than before. */
  version = 0;

  constructor(files: Readonly<Record<string, string>> = {}) {
    for (const [path, content] of Object.entries(files)) {
      for (const folder of foldersAbove(path)) this.entries.set(folder, { type: 'directory' });
      this.entries.set(path, { type: 'file', content });
    }
  }

  get(path: string): FakeFile | undefined {
    return path === '/' ? { type: 'directory' } : this.entries.get(path);
  }

  copy(): FakeTree {
    const copy = new FakeTree();
    for (const [path, entry] of this.entries) copy.entries.set(path, entry);
    return copy;
  }

  /** What stands in the way is replaced, as tar does; a folder keeps what is in it. */
  put(path: string, entry: FakeFile): void {
    if (entry.type === 'link' || this.entries.get(path)?.type === 'link') this.version += 1;
    this.entries.set(path, entry);
  }

  remove(path: string): void {
    this.version += 1;
    for (const each of [...this.entries.keys()]) {
      if (each === path || each.startsWith(`${path}/`)) this.entries.delete(each);
    }
  }

  /** Paths below a folder, at any depth, sorted. */
  below(folder: string): readonly string[] {
    const prefix = folder === '/' ? '/' : `${folder}/`;
    return [...this.entries.keys()].filter((path) => path.startsWith(prefix)).sort();
  }
}

export type Mount = { readonly target: string; readonly tree: FakeTree };

/** The tree that a process in the container sees. */
export class FakeView {
  readonly #root: FakeTree;
  readonly #mounts: readonly Mount[];
  /** Where paths lead, as long as no link changes. */
  readonly #known = new Map<string, string>();
  #version = -1;

  constructor(root: FakeTree, mounts: readonly Mount[]) {
    this.#root = root;
    this.#mounts = mounts;
  }

  /** Follows links in the folders above, not the last name. */
  get(path: string): FakeFile | undefined {
    const { tree, at } = this.#place(path);
    return tree.get(at);
  }

  /** The content of a file, links followed. */
  read(path: string): string | undefined {
    const entry = this.get(path);
    if (entry?.type === 'link') return this.read(join(parent(path), entry.target));
    return entry?.type === 'file' ? entry.content : undefined;
  }

  /** The folder or file a path leads to, links followed to the end. */
  follow(path: string): string {
    const entry = this.get(path);
    return entry?.type === 'link' ? this.follow(join(parent(path), entry.target)) : this.#real(path);
  }

  link(path: string): string | undefined {
    const entry = this.get(path);
    return entry?.type === 'link' ? entry.target : undefined;
  }

  put(path: string, entry: FakeFile): void {
    const { tree, at } = this.#place(path);
    tree.put(at, entry);
  }

  remove(path: string): void {
    const { tree, at } = this.#place(path);
    tree.remove(at);
  }

  below(path: string): readonly string[] {
    const { tree, at, target } = this.#place(path);
    return tree.below(at).map((each) => join(target, each.slice(1)));
  }

  isMounted(path: string): boolean {
    const real = this.#real(path);
    return this.#mounts.some(({ target }) => real === target || real.startsWith(`${target}/`));
  }

  #place(path: string): { readonly tree: FakeTree; readonly at: string; readonly target: string } {
    const real = this.#real(path);
    const mount = this.#mounts.find(({ target }) => real === target || real.startsWith(`${target}/`));
    if (mount === undefined) return { tree: this.#root, at: real, target: '/' };
    return { tree: mount.tree, at: real.slice(mount.target.length) || '/', target: mount.target };
  }

  #real(path: string): string {
    const version = this.#mounts.reduce((sum, { tree }) => sum + tree.version, this.#root.version);
    if (version !== this.#version) this.#known.clear();
    this.#version = version;
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const real = this.#resolve(path);
    this.#known.set(path, real);
    return real;
  }

  #resolve(path: string): string {
    const parts = path.split('/').filter((part) => part !== '');
    let real = '/';
    for (const [index, part] of parts.entries()) {
      const next = join(real, part);
      const isLast = index === parts.length - 1;
      const entry = isLast ? undefined : this.#direct(next);
      real = entry?.type === 'link' ? this.#real(`${join(parent(next), entry.target)}/x`).slice(0, -2) : next;
    }
    return real;
  }

  // `path` has no links in it.
  #direct(path: string): FakeFile | undefined {
    const mount = this.#mounts.find(({ target }) => path === target || path.startsWith(`${target}/`));
    if (mount === undefined) return this.#root.get(path);
    return mount.tree.get(path.slice(mount.target.length) || '/');
  }
}

function foldersAbove(path: string): readonly string[] {
  const parts = path.split('/').slice(1, -1);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`);
}

export function parent(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

export function join(folder: string, name: string): string {
  if (name.startsWith('/')) return name;
  return folder === '/' ? `/${name}` : `${folder}/${name}`;
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
