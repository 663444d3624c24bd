import { setTimeout as delay } from 'node:timers/promises';
import { formatExhibits } from '../chaos/exhibits.ts';
import { openSession, type Endpoint } from '../chaos/session.ts';
import { Stage } from '../chaos/stage.ts';
import { docker } from '../e2e/support/engine.ts';
import { until } from '../e2e/support/until.ts';
import { reportTail } from './figures.ts';

const sessions = 100;

/** Seconds are an eternity for a new session: this much is only for not waiting for ever. */
const patientMs = 60_000;

/** For a moment that the daemon mends at once: how long new sessions are begun one after the other. */
const momentMs = 4000;

/** How long new sessions take, with all readers up and without one of them. */
export async function benchReaders(): Promise<void> {
  console.log(`New sessions through the balancer, connect and SELECT 1, ${sessions} of each`);
  const stage = await Stage.open({ mode: 'async' });
  try {
    await stage.converge(patientMs);
    const endpoint: Endpoint = { host: '127.0.0.1', port: stage.port, password: 'only-a-test' };
    await time('all readers up', endpoint, (done) => done >= sessions);
    await time('all readers up, again', endpoint, (done) => done >= sessions);
    await benchLasting(stage, endpoint);
    const [, , replica] = stage.nodes;
    const container = replica?.container ?? '';
    for (const fault of [['kill'], ['pause'], ['rm', '--force']]) {
      const begin = performance.now();
      const timing = time(
        `docker ${fault.join(' ')} of a reader, for ${momentMs / 1000} s`,
        endpoint,
        () => performance.now() - begin > momentMs,
      );
      await docker(...fault, container);
      await timing;
      await stage.converge(patientMs);
      await delay(1000);
    }
    console.log('');
  } catch (error) {
    console.log(formatExhibits(await stage.exhibits()));
    throw error;
  } finally {
    await stage.close();
  }
}

/** A reader that cannot be started, since another container has its address, and what happens when that is gone. */
async function benchLasting(stage: Stage, endpoint: Endpoint): Promise<void> {
  const [, replica] = stage.nodes;
  const { container = '', address = '' } = replica ?? {};
  const hosts = (): Promise<string> => docker('exec', `${stage.cluster.name}-lb1`, 'cat', '/etc/hosts');
  // Nobody starts it while its address is taken away.
  await stage.daemon.stop();
  await docker('kill', container);
  const holder = `${container}-holder`;
  await docker(
    ...['run', '--detach', '--name', holder, '--label', stage.cluster.run.label, '--network', stage.cluster.name],
    ...['--ip', address, '--entrypoint', 'sleep', 'postgres:17', '600'],
  );
  await stage.startDaemon();
  const begin = performance.now();
  await until('its name leads elsewhere', hosts, (text) => !text.includes(address), patientMs);
  console.log(`  hosts rewritten ${seconds(performance.now() - begin)} after the start of a daemon`);
  await time('a reader dead for good', endpoint, (done) => done >= sessions);
  await time('a reader dead for good, again', endpoint, (done) => done >= sessions);
  await docker('rm', '--force', holder);
  // Whoever took the address away has it started: what happens to a foreign container is no news to a daemon.
  await docker('start', container);
  const started = performance.now();
  await until('its name leads to it again', hosts, (text) => text.includes(address), patientMs);
  console.log(`  its name leads to it again ${seconds(performance.now() - started)} after its start`);
  await until(
    'a read is answered by it',
    () => answerOf(endpoint),
    (answered) => answered === address,
    patientMs,
  );
  console.log(`  a read of a new session is answered by it ${seconds(performance.now() - started)} after its start`);
  await stage.converge(patientMs);
  const answers = new Map<string, number>();
  for (let count = 0; count < sessions; count += 1) {
    const by = await answerOf(endpoint).catch(() => 'an error');
    answers.set(by, (answers.get(by) ?? 0) + 1);
  }
  console.log(
    `  ${sessions} reads of new sessions after that: ${[...answers].map((each) => each.join(' ')).join(', ')}`,
  );
}

/** Opens sessions one after the other and reports what they took, whether or not anything came of them. */
async function time(what: string, endpoint: Endpoint, isEnough: (done: number) => boolean): Promise<void> {
  const took: number[] = [];
  let failed = 0;
  while (!isEnough(took.length)) {
    const begin = performance.now();
    const answered = await answerOf(endpoint, 'SELECT 1').catch(() => undefined);
    took.push(performance.now() - begin);
    if (answered === undefined) failed += 1;
  }
  reportTail(failed === 0 ? what : `${what} (${failed} failed)`, took);
}

/** What a new session is answered; by which server, unless asked something else. A stable function: it goes to a reader. */
async function answerOf(endpoint: Endpoint, sql = 'SELECT host(inet_server_addr())'): Promise<string> {
  const session = await openSession(endpoint, patientMs);
  try {
    const answer = await session.query(sql, [], patientMs);
    if (answer.is !== 'done') throw new Error(JSON.stringify(answer));
    return String(answer.rows[0]?.[0]);
  } finally {
    session.close();
  }
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(3)} s`;
}
