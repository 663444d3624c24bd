/**
 * Runs the simulation of leadership on plain Node, without an engine:
 *
 *   npm run test:simulation -- --seeds 1000000     seeds 1 to N, on all cores; ends with the first five that fail
 *   npm run test:simulation -- --seed 4711         one seed again, with a trace of all that happened
 *   npm run test:simulation -- --mutations         takes out one safeguard after the other, and looks for a seed that fails
 *
 * More options: --matching REGEXP (only violations of these words count), --mode async|required|preferred, --with FAULT (a
 * name in faults.ts, or some: 'a + b'; to happen in most seeds), --from N, --jobs N, --stop-after N, --mutation NAME. A seed
 * means the same with the same options and the same code only.
 */
import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');
const built = path.join(here, '.run');

const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    from: { type: 'string', default: '1' },
    mode: { type: 'string' },
    with: { type: 'string' },
    matching: { type: 'string' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    'stop-after': { type: 'string', default: '5' },
    mutations: { type: 'boolean', default: false },
    mutation: { type: 'string' },
  },
});

/** Seeds that a mutation is looked for in at most. */
const mostSeeds = Number(options.seeds ?? 100_000);

async function bundle(name, entry, mutation) {
  const outfile = path.join(built, `${name}.mjs`);
  const sets = [speedUp, ...(mutation === undefined ? [] : [mutation])];
  const applied = new Set();
  await build({
    entryPoints: [path.join(here, entry)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
    plugins: [shortScripts, replacing(sets, applied)],
  });
  const missing = mutation?.changes.find((change) => !applied.has(change.find));
  if (missing !== undefined) throw new Error(`${mutation.name}: ${missing.file} is no part of the simulation`);
  return outfile;
}

/** What scripts do is modelled: of their texts only the names count, and are hashed sooner. */
const shortScripts = {
  name: 'short-scripts',
  setup(on) {
    on.onLoad({ filter: /\.sh$/ }, ({ path: file }) => ({ contents: `# ${path.basename(file)}\n`, loader: 'text' }));
  },
};

/** The same configuration is made into the same files again and again. */
const speedUp = {
  name: 'speed-up',
  changes: [
    remembering(
      'src/postgres/revision.ts',
      'export function nodeRevision(config: NodeConfig, layout: Layout): Revision {',
    ),
    remembering(
      'src/balancer/revision.ts',
      'export function balancerRevision(config: BalancerConfig, secretsName: string): BalancerRevision {',
    ),
    remembering(
      'src/reconcile/kinds/container.ts',
      'function readSpec(text: string | undefined): Map<string, string> {',
    ),
  ],
};

/** The change by which a function remembers what it gave for the same arguments; `head`: its first line. */
function remembering(file, head) {
  const [, exported, name, parameters, result] = /^(export )?function (\w+)\((.*)\): (.+) \{$/.exec(head) ?? [];
  if (name === undefined) throw new Error(`${file}: "${head}" is no first line of a function`);
  const args = parameters
    .split(', ')
    .map((parameter) => parameter.split(':')[0])
    .join(', ');
  const replace = `const known_${name} = new Map<string, ${result}>();
${exported ?? ''}function ${name}(${parameters}): ${result} {
  const key = JSON.stringify([${args}]);
  const made = known_${name}.get(key) ?? make_${name}(${args});
  if (known_${name}.size > 1000) known_${name}.clear();
  known_${name}.set(key, made);
  return made;
}
function make_${name}(${parameters}): ${result} {`;
  return { file, find: head, replace };
}

/** Replaces texts of files, each of which must be there once; notes in `applied` what was replaced. */
function replacing(sets, applied) {
  return {
    name: 'replacing',
    setup(on) {
      on.onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
        const own = sets.flatMap(({ name, changes }) =>
          changes.filter((each) => path.join(root, each.file) === file).map((each) => ({ ...each, name })),
        );
        if (own.length === 0) return undefined;
        let contents = await readFile(file, 'utf8');
        for (const { name, find, replace } of own) {
          const times = contents.split(find).length - 1;
          if (times !== 1) throw new Error(`${name}: "${find}" occurs ${times} times in ${file}`);
          contents = contents.replace(find, () => replace);
          applied.add(find);
        }
        return { contents, loader: 'ts' };
      });
    },
  };
}

async function readMutations() {
  const outfile = path.join(built, 'mutations.mjs');
  await build({ entryPoints: [path.join(here, 'mutations.ts')], outfile, format: 'esm', logLevel: 'warning' });
  return (await import(outfile)).mutations;
}

/** Runs seeds in so many processes. `shows`: `all` that they print; `nothing`; or nothing, and it ends at the `first` fault. */
async function run(file, args, jobs, shows) {
  const children = new Set();
  const stopAll = () => {
    for (const child of children) child.kill();
  };
  process.once('SIGINT', stopAll);
  process.once('SIGTERM', stopAll);
  const ends = Array.from({ length: jobs }, (_, index) => {
    const child = spawn(process.execPath, [file, ...args, '--job', String(index), '--jobs', String(jobs)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.add(child);
    let text = '';
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (chunk) => {
      text += chunk;
      if (shows === 'all') process.stdout.write(chunk);
      else if (shows === 'first' && /^seed \d+ .*\n {2}.*\n/m.test(text)) stopAll();
    });
    return new Promise((resolve) => {
      child.on('close', (code) => {
        children.delete(child);
        resolve({ code, text });
      });
    });
  });
  const ended = await Promise.all(ends);
  process.off('SIGINT', stopAll);
  process.off('SIGTERM', stopAll);
  return ended;
}

async function replayMutations() {
  const mutations = (await readMutations()).filter(
    ({ name }) => options.mutation === undefined || name === options.mutation,
  );
  let missed = 0;
  for (const mutation of mutations) {
    const file = await bundle(`mutation-${mutation.name}`, 'simulate.ts', mutation);
    const args = ['--seeds', String(mostSeeds), '--stop-after', '1', ...argsOf(mutation)];
    const ended = await run(file, args, Number(options.jobs), 'first');
    const found = ended
      .flatMap(({ text }) => [...text.matchAll(/^seed (\d+) .*\n {2}(.*)$/gm)])
      .toSorted((a, b) => Number(a[1]) - Number(b[1]))[0];
    const isOwn = found !== undefined && !(await failsAnyway(found[1], argsOf(mutation)));
    if (!isOwn) missed += 1;
    const what =
      found === undefined ? `NOT FOUND in ${mostSeeds} seeds` : `found at seed ${found[1]}: ${found[2].slice(0, 120)}`;
    const finding = mutation.finding === undefined ? '' : ` (${mutation.finding})`;
    console.log(`${mutation.name}${finding}: ${what}${found === undefined || isOwn ? '' : ' — WITHOUT IT AS WELL'}`);
  }
  return missed === 0 ? 0 : 1;
}

/** Whether a seed fails with nothing taken out. */
async function failsAnyway(seed, args) {
  const file = await bundle('simulate', 'simulate.ts');
  const [ended] = await run(file, [...args, '--seed', seed], 1, 'nothing');
  return ended?.code !== 0;
}

function argsOf(mutation) {
  const [mode, theme] = [options.mode ?? mutation?.mode, options.with ?? mutation?.with];
  const matching = options.matching ?? mutation?.finds;
  return [
    ...(mode === undefined ? [] : ['--mode', mode]),
    ...(theme === undefined ? [] : ['--with', theme]),
    ...(matching === undefined ? [] : ['--matching', matching]),
  ];
}

async function main() {
  await mkdir(built, { recursive: true });
  if (options.mutations) return replayMutations();
  const mutation =
    options.mutation === undefined ? undefined : (await readMutations()).find(({ name }) => name === options.mutation);
  if (options.mutation !== undefined && mutation === undefined)
    throw new Error(`no such mutation: ${options.mutation}`);
  const file = await bundle(`simulate${mutation === undefined ? '' : `-${mutation.name}`}`, 'simulate.ts', mutation);
  const args = argsOf(mutation);
  if (options.seed !== undefined) args.push('--seed', options.seed);
  else args.push('--seeds', options.seeds ?? '1000', '--from', options.from, '--stop-after', options['stop-after']);
  const ended = await run(file, args, options.seed === undefined ? Number(options.jobs) : 1, 'all');
  return ended.some(({ code }) => code !== 0) ? 1 : 0;
}

process.exitCode = await main();
