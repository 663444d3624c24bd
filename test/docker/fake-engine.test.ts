import { describeEngine } from '../bench/engine-contract.ts';
import { FakeWorld } from '../bench/fake-engine.ts';

describeEngine('the engine in memory', async () => ({
  engine: new FakeWorld().connect().engine,
  labels: { 'contract.run': 'memory' },
  prefix: 'contract',
  subnets: ['10.200.1.0/24', '10.200.2.0/24'],
  port: 21_000,
  release: async () => undefined,
}));
