import { defineConfig } from 'vitest/config';

/** Bring-up of a few servers on a small machine, with room for a slow disk. Milliseconds. */
const scenario = 600_000;

/** A unit test that waits for a state has room on a machine that does other things as well. Milliseconds. */
const unit = 60_000;

/** Tests that need an engine. */
const engineTests = ['test/e2e/**/*.test.ts', 'test/bench/proxy.test.ts'];

/** The long form: one scenario cut short at many moments, or many clusters at once. `npm run test:sweep` runs it. */
const sweepTests = ['chaos', 'daemon-twenty', 'failover-kill', 'kill', 'kill-moments'].map(
  (name) => `test/e2e/${name}.test.ts`,
);

const withEngine = { testTimeout: scenario, hookTimeout: scenario, globalSetup: 'test/e2e/support/setup.ts' };

/** Shell scripts are text, as in the bundle. */
const shellScripts = {
  name: 'shell-scripts',
  transform: (code: string, id: string) => (id.endsWith('.sh') ? `export default ${JSON.stringify(code)}` : undefined),
};

export default defineConfig({
  plugins: [shellScripts],
  test: {
    allowOnly: false,
    passWithNoTests: false,
    retry: 0,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: engineTests,
          testTimeout: unit,
          hookTimeout: unit,
          // One core is left idle otherwise, of two.
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          ...withEngine,
          name: 'e2e',
          include: engineTests,
          exclude: sweepTests,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          ...withEngine,
          name: 'sweep',
          include: sweepTests,
          // They fill the machine by themselves.
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
