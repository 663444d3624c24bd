import { engineHost, ROOT } from './engine.ts';
import { output } from './run.ts';

/** Once before all end-to-end tests: the engine is there, and dist/pgherd.js is what the sources say. */
export default async function setup(): Promise<void> {
  process.env['DOCKER_HOST'] = await engineHost();
  await output('npm', ['run', '--silent', 'build'], { cwd: ROOT });
}
