import { docker } from './engine.ts';

/** An init script that halts the bootstrap of its node until `openGate`. */
export const gate = 'until [ -e /tmp/gate ]; do sleep 0.05; done\n';

export async function openGate(container: string): Promise<void> {
  await docker('exec', container, 'touch', '/tmp/gate');
}
