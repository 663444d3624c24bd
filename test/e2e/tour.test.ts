import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConsole, withoutVarying } from '../tour/console.ts';
import { playTour } from '../tour/play.ts';
import { newCluster, type TestCluster } from './support/cluster.ts';
import { ROOT } from './support/engine.ts';

describe('the tour of the README', () => {
  let place: TestCluster;

  beforeAll(async () => {
    place = await newCluster();
  });

  afterAll(async () => {
    await place.cleanup();
  });

  it('shows what its commands print (`npm run tour` writes it anew)', async () => {
    const shown = readConsole(await readFile(`${ROOT}README.md`, 'utf8'));
    const outputs = await playTour(
      shown.map(({ command }) => command),
      place,
    );
    const transcript = (each: readonly string[]): string =>
      shown.map(({ command }, index) => `$ ${command}\n${withoutVarying(each[index] ?? '')}`).join('\n');
    expect(transcript(outputs)).toBe(transcript(shown.map(({ output }) => output)));
  });
});
