import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { expect, it, onTestFinished, vi } from 'vitest';
import { serveEngine } from './served-engine.ts';

const listed = {
  Id: '1e82',
  Names: ['/shop-lb1-replica1'],
  Image: 'postgres:17',
  Labels: { 'pgherd.cluster': 'shop' },
  Created: 1767225600,
  State: 'running',
  NetworkSettings: { Networks: { shop: { NetworkID: 'n1', IPAMConfig: { IPv4Address: '172.31.1.21' } } } },
  Mounts: [
    { Type: 'bind', Source: '/etc/hosts', Destination: '/etc/hosts' },
    { Type: 'volume', Name: 'shop_lb1_1_1', Destination: '/var/lib/postgresql/data' },
  ],
};

const inspected = {
  Id: '1e82',
  Name: '/shop-lb1-replica1',
  Created: '2026-01-01T00:00:00Z',
  RestartCount: 0,
  State: { Status: 'running', Running: true, ExitCode: 0, StartedAt: '2026-01-01T00:00:01Z' },
  Config: { Image: 'postgres:17', Labels: listed.Labels },
  HostConfig: {},
  NetworkSettings: listed.NetworkSettings,
  Mounts: listed.Mounts,
};

it('a container of which the engine tells nothing is as its list says, and is waited for no longer each time', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const questions: ServerResponse[] = [];
  const { engine } = await serveEngine((request, response) => {
    if (request.url?.includes('/json?') === true && request.url.includes('filters'))
      response.end(JSON.stringify([listed]));
    else questions.push(response);
  });
  const answer = (question: ServerResponse | undefined): unknown =>
    question?.setHeader('content-type', 'application/json').end(JSON.stringify(inspected));
  const list = (): ReturnType<typeof engine.listContainers> => engine.listContainers({ 'pgherd.cluster': 'shop' });

  const first = list();
  await vi.waitUntil(() => questions.length === 1);
  await vi.advanceTimersByTimeAsync(5000);
  const busy = {
    ...{ id: '1e82', name: 'shop-lb1-replica1', labels: listed.Labels, image: 'postgres:17', state: 'running' },
    createdAt: Date.parse('2026-01-01T00:00:00Z'),
    networks: { shop: { networkId: 'n1', address: '172.31.1.21' } },
    volumes: [{ name: 'shop_lb1_1_1', target: '/var/lib/postgresql/data' }],
    isBusy: true,
  };
  expect(await first).toEqual([expect.objectContaining(busy)]);

  const second = list();
  let isOver = false;
  void second.finally(() => (isOver = true));
  // The question of before is still open: it is not asked again, and waited for a moment.
  await vi.waitUntil(async () => {
    await vi.advanceTimersByTimeAsync(100);
    return isOver;
  });
  expect(await second).toEqual([expect.objectContaining(busy)]);
  expect(questions).toHaveLength(1);

  const [question] = questions;
  if (question === undefined) throw new Error('it was not asked');
  answer(question);
  await once(question, 'close');
  const third = list();
  await vi.waitUntil(() => questions.length === 2);
  answer(questions[1]);
  expect((await third)[0]).toMatchObject({ id: '1e82', startedAt: Date.parse('2026-01-01T00:00:01Z') });
  expect((await third)[0]).not.toHaveProperty('isBusy');

  // An engine that is slow, and answers, is given its time.
  const fourth = list();
  await vi.waitUntil(() => questions.length === 3);
  await vi.advanceTimersByTimeAsync(5000);
  expect(await fourth).toEqual([expect.objectContaining(busy)]);
  answer(questions[2]);
  const fifth = list();
  await vi.waitUntil(() => questions.length === 4);
  await vi.advanceTimersByTimeAsync(4000);
  answer(questions[3]);
  expect((await fifth)[0]).not.toHaveProperty('isBusy');
});
