import { connectEngine } from '../../src/docker/dockerode.ts';
import { describeEngine } from '../bench/engine-contract.ts';
import { engineHost, newRun, sweep } from './support/engine.ts';
import { takePlaces } from './support/places.ts';

describeEngine('the Docker engine', async () => {
  const run = newRun();
  const [one, two] = await takePlaces(2);
  if (one === undefined || two === undefined) throw new Error('fewer places than asked for');
  const [port = 0] = await one.ports(1);
  return {
    engine: await connectEngine({ host: await engineHost() }, { extraLabels: run.labels }),
    labels: run.labels,
    prefix: `contract-${run.id}`,
    subnets: [one.subnet, two.subnet],
    port,
    release: async () => {
      await sweep(run.label);
      await Promise.all([one.release(), two.release()]);
    },
  };
});
