import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { connectDocker } from '../../src/docker/connect.ts';
import { serveHost } from './served-engine.ts';

it('what a call is made with can be described without all other calls', async () => {
  const { host } = await serveHost((_, response) => response.end());
  const docker = await connectDocker({ host });
  await docker.ping();
  // docker-modem describes the options of each call like this.
  const described = inspect(docker.modem, { showHidden: true, depth: null });
  expect(described).toContain('agent: agent');
  expect(described).not.toContain('Socket');
});
