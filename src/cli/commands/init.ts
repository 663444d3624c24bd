import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { messageOf } from '../../base/error.ts';
import { isTopologyName } from '../../topology/load.ts';
import { schemaText } from '../../topology/schema.gen.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { findDefaults, findProblems, type Answers } from '../init/answers.ts';
import { renderTopology } from '../init/template.ts';
import type { Output } from '../output.ts';
import type { GlobalOptions } from '../session.ts';

export type InitFlags = GlobalOptions &
  Partial<Omit<Answers, 'mode'>> & {
    readonly quorum?: boolean;
    readonly yes?: boolean;
    readonly force?: boolean;
    readonly schema: boolean;
  };

/** What every command takes where it is given no path. */
const usualFile = 'topology.yaml';

/** Hidden, so that a folder of topologies with it still holds nothing but topologies. */
const schemaName = '.topology.schema.json';

/** Writes a topology file of what a person answers, or the options say. */
export async function init([file = usualFile]: readonly string[], flags: InitFlags, output: Output): Promise<ExitCode> {
  const known = readFlags(flags);
  const path = resolve(file === '-' ? usualFile : file);
  const defaults = findDefaults(path);
  const problem = (await refuse(file, flags, known)) ?? checkFlags({ ...defaults, ...known });
  if (problem !== undefined) {
    output.note(`error: ${problem}`);
    return exitCodes.error;
  }
  const isAsking = flags.yes !== true && canAsk();
  // The questions look at this alone.
  if (!flags.color) process.env['NO_COLOR'] = '1';
  const answers = isAsking
    ? await (await import('../init/questions.ts')).askQuestions(known, defaults)
    : { ...defaults, ...known };
  if (answers === undefined) {
    output.note('nothing was written');
    return exitCodes.interrupted;
  }
  if (file === '-') {
    const text = renderTopology(answers);
    output.print(output.format === 'json' ? JSON.stringify({ cluster: answers.cluster, text }) : text.trimEnd());
    return exitCodes.done;
  }
  try {
    return await write(file, answers, flags, output);
  } catch (error) {
    const why = hasFileCode(error, 'EEXIST') ? existing(file) : `${file} cannot be written: ${messageOf(error)}`;
    output.note(`error: ${why}`);
    return exitCodes.error;
  }
}

function readFlags({ quorum, ...flags }: InitFlags): Partial<Answers> {
  const names = ['cluster', 'balancer', 'port', 'replicas', 'image', 'database', 'subnet'] as const;
  const given = names.flatMap((name) => (flags[name] === undefined ? [] : [[name, flags[name]] as const]));
  return { ...Object.fromEntries(given), ...(quorum === true ? { mode: 'quorum' } : {}) };
}

/** Why no file is made, before anything is asked. */
async function refuse(file: string, flags: InitFlags, known: Partial<Answers>): Promise<string | undefined> {
  if (file !== '-' && (!isTopologyName(file.replace(/^.*\//, '')) || file.endsWith('.json'))) {
    return `${file}: init writes YAML\n  remedy: give it a name that ends in .yaml or .yml`;
  }
  if (flags.force !== true && file !== '-' && (await exists(file))) return existing(file);
  if (flags.yes === true || Object.keys(known).length > 0 || canAsk()) return undefined;
  return (
    'init asks what the cluster is to be, and there is no terminal to ask on\n' +
    '  remedy: add --yes for the defaults, or say it with --cluster, --balancer, --port, --replicas, --image, --database, --subnet, --quorum'
  );
}

function existing(file: string): string {
  return `${file} exists already\n  remedy: give another name, or add --force to replace it`;
}

function checkFlags(answers: Answers): string | undefined {
  const [problem] = findProblems(answers);
  if (problem === undefined) return undefined;
  const option = problem.answer === 'mode' ? 'quorum' : problem.answer;
  return option === undefined ? problem.message : `--${option}: ${problem.message}`;
}

/** Whether somebody sits there: questions go to standard error. */
function canAsk(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

async function write(file: string, answers: Answers, flags: InitFlags, output: Output): Promise<ExitCode> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true });
  const text = renderTopology(answers, flags.schema ? `./${schemaName}` : undefined);
  if (flags.force === true) await replaceFile(file, text);
  else await writeFile(file, text, { flag: 'wx' });
  const schema = flags.schema ? join(folder, schemaName) : undefined;
  if (schema !== undefined) await writeSchema(schema, output);
  const given = file === usualFile ? '' : ` ${quote(file)}`;
  const steps = [
    ['plan', 'see what would be done'],
    ['reconcile --once', 'do it'],
    ['status', 'see how it is'],
  ] as const;
  const next = steps.map(([command, does]) => ({ command: `pgherd ${command}${given}`, does }));
  if (output.format === 'json') {
    output.print(
      JSON.stringify({
        file,
        ...(schema === undefined ? {} : { schema }),
        cluster: answers.cluster,
        next: next.map(({ command }) => command),
      }),
    );
    return exitCodes.done;
  }
  output.print(`${file}: written (cluster ${answers.cluster})`);
  if (schema !== undefined) output.print(`${schema}: its schema, for editors`);
  const width = Math.max(...next.map(({ command }) => command.length));
  output.print('\nNext:');
  for (const { command, does } of next) output.print(`  ${command.padEnd(width)}  ${does}`);
  return exitCodes.done;
}

/** The schema of this version; one that stands there is another's, or a person's, and stays. */
async function writeSchema(path: string, output: Output): Promise<void> {
  const before = await readFile(path, 'utf8').catch((error: unknown) => {
    if (hasFileCode(error, 'ENOENT')) return undefined;
    throw error;
  });
  if (before === undefined) await writeFile(path, schemaText, { flag: 'wx' });
  else if (before !== schemaText) {
    output.note(`${path}: is of another version, and was left\n  remedy: pgherd schema > ${quote(path)}`);
  }
}

/** At once: who reads meanwhile has the old text or the new one. */
async function replaceFile(file: string, text: string): Promise<void> {
  const beside = join(dirname(file), `.${file.replace(/^.*\//, '')}.${process.pid}`);
  try {
    await writeFile(beside, text, { flag: 'wx' });
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

function hasFileCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function quote(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
