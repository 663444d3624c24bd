// `npm run tour`: runs the commands of the README's tour on a real engine, and writes what they print into it.
import { readFile, writeFile } from 'node:fs/promises';
import { newCluster } from '../e2e/support/cluster.ts';
import { ROOT } from '../e2e/support/engine.ts';
import { readConsole, writeConsole } from './console.ts';
import { playTour } from './play.ts';

const file = `${ROOT}README.md`;
const readme = await readFile(file, 'utf8');
const place = await newCluster();
try {
  const commands = readConsole(readme).map(({ command }) => command);
  await writeFile(file, writeConsole(readme, await playTour(commands, place)));
  process.stdout.write(`README.md: ${commands.length} commands run, their output written\n`);
} finally {
  await place.cleanup();
}
