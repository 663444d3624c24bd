import { defineConfig } from 'vitest/config';

/** Bring-up of a few servers on a small machine, with room for a slow disk. Milliseconds. */
const scenario = 300_000;

/** Tests that need an engine. */
const engineTests = ['test/e2e/**/*.test.ts', 'test/bench/proxy.test.ts'];

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
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: engineTests, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: engineTests,
          testTimeout: scenario,
          hookTimeout: scenario,
          globalSetup: 'test/e2e/support/setup.ts',
          // They share one engine, and assert on how long things take.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
