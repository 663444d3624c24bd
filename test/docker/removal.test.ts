import { expect, it } from 'vitest';
import { serveEngine } from './served-engine.ts';

type Answer = { readonly status: number; readonly message?: string };

/** Removes a container of an engine that answers so, one time after the other; gives what it was not asked for. */
async function remove(...answers: readonly Answer[]): Promise<readonly Answer[]> {
  const left = [...answers];
  const { engine } = await serveEngine((_, response) => {
    const { status, message } = left.shift() ?? { status: 500, message: 'asked once more than expected' };
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(message === undefined ? undefined : JSON.stringify({ message }));
  });
  await engine.removeContainer('lb1');
  return left;
}

it('a container that ends while the engine is about to kill it is removed at the next attempt', async () => {
  const message = 'Could not kill running container 1e82, cannot remove - Container 1e82 is not running';
  expect(await remove({ status: 409, message }, { status: 204 })).toEqual([]);
});

it('a container that the engine is removing already is waited for until it is gone', async () => {
  const busy = { status: 409, message: 'removal of container lb1 is already in progress' };
  expect(await remove(busy, busy, { status: 404, message: 'No such container: lb1' })).toEqual([]);
});

it('what the engine refuses for another reason is said at once', async () => {
  const refused = { status: 500, message: 'driver "overlay2" failed to remove root filesystem' };
  await expect(remove(refused, { status: 204 })).rejects.toMatchObject({ code: 'engine-error' });
});
