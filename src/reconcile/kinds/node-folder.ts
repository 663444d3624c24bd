import { PgherdError } from '../../base/error.ts';
import type { Layout } from '../../postgres/layout.ts';
import type { ActionContext } from '../actions.ts';

/** A container with the layout of its volume. `container` is an id where it was seen, else its name. */
export type Placed = { readonly container: string; readonly layout: Layout };

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
  const key = `${image} ${user}`;
  const known = context.owners.get(key);
  if (known !== undefined) return known;
  const passwd = await readText(context, container, '/etc/passwd');
  const line = passwd.split('\n').find((each) => each.startsWith(`${user}:`));
  const owner = Number(line?.split(':')[2]);
  if (Number.isNaN(owner)) {
    throw new PgherdError('node-failed', `the image ${image} has no user "${user}"`, {
      remedy: 'name an image with the layout of the official postgres image, or of pgBalancer',
    });
  }
  context.owners.set(key, owner);
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
