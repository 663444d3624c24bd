import { describeEngine } from '../bench/engine-contract.ts';
import { FakeWorld } from '../bench/fake-engine.ts';

describeEngine('the engine in memory', async () => {
  const world = new FakeWorld();
  return {
    engine: world.connect().engine,
    labels: { 'contract.run': 'memory' },
    prefix: 'contract',
    subnets: ['10.200.1.0/24', '10.200.2.0/24'],
    port: 21_000,
    passTime: () => {
      world.advance(10_000);
    },
    release: async () => undefined,
  };
});
