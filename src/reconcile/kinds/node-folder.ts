import { PgherdError } from '../../base/error.ts';
import type { Layout } from '../../postgres/layout.ts';
import type { ActionContext } from '../actions.ts';

/** A container with the layout of its volume. `container` is an id where it was seen, else its name. */
export type Placed = { readonly container: string; readonly layout: Layout };

/**
 * Numeric owners of files. By image for one run only, since a tag may move between two; by a container's id for as long as
 * its holder likes: reading them takes the engine a process, and a leader that died waits for its fence meanwhile.
 */
export class Owners {
  readonly #ofImages = new Map<string, number>();
  readonly #ofContainers: Map<string, number>;

  /** @param ofContainers what earlier runs have read; what this one reads is added. */
  constructor(ofContainers = new Map<string, number>()) {
    this.#ofContainers = ofContainers;
  }

  /** `container` is an id or a name. */
  find(container: string, image: string, user: string): number | undefined {
    return this.#ofContainers.get(`${container} ${user}`) ?? this.#ofImages.get(`${image} ${user}`);
  }

  note(container: string, image: string, user: string, owner: number): void {
    this.#ofImages.set(`${image} ${user}`, owner);
    // A name may be given to a container of another image.
    if (/^[0-9a-f]{64}$/.test(container)) this.#ofContainers.set(`${container} ${user}`, owner);
  }
}

/** What reading and writing the files of a container takes. */
type Files = Pick<ActionContext, 'engine' | 'owners'>;

/** Writes entries into the folder that pgherd has in a node's volume. */
export async function writeFolder(
  node: Placed,
  image: string,
  context: Files,
  entries: Parameters<typeof context.engine.writeArchive>[2],
): Promise<void> {
  const owner = await ownerOf(context, node.container, image, 'postgres');
  const folder = node.layout.home.slice(node.layout.mount.length + 1);
  await context.engine.writeArchive(
    node.container,
    node.layout.mount,
    [
      { type: 'directory', path: folder, mode: 0o700 },
      ...entries.map((entry) => ({ ...entry, path: `${folder}/${entry.path}` })),
    ],
    owner,
  );
}

/** The number of a user in an image, read from a container of it. */
export async function ownerOf(context: Files, container: string, image: string, user: string): Promise<number> {
  const known = context.owners.find(container, image, user);
  if (known !== undefined) return known;
  const passwd = await readText(context, container, '/etc/passwd');
  const line = passwd.split('\n').find((each) => each.startsWith(`${user}:`));
  const owner = Number(line?.split(':')[2]);
  if (Number.isNaN(owner)) {
    throw new PgherdError('node-failed', `the image ${image} has no user "${user}"`, {
      remedy: 'name an image with the layout of the official postgres image, or of pgBalancer',
    });
  }
  context.owners.note(container, image, user, owner);
  return owner;
}

/** A file in a container, empty where there is none; a container that is gone is no file that is empty. */
export async function readText({ engine }: Pick<Files, 'engine'>, container: string, path: string): Promise<string> {
  const files = await engine.readArchive(container, path);
  if (files === undefined && (await engine.inspectContainer(container)) === undefined) {
    throw new PgherdError('not-found', `the container ${container} went away meanwhile`, { retry: true });
  }
  return [...(files?.values() ?? [])][0] ?? '';
}
