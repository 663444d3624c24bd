import { currentCommand, readLine, splitLong, validOptions, type Line } from './line.ts';
import { findRule, type FileKind, type NameKind } from './rules.ts';
import type { CommandSpec, OptionSpec, ValueSpec } from './tree.ts';

export type Candidate = { readonly text: string; readonly description: string };

/**
 * What may stand where the cursor is. The shell picks those that fit what is typed, in its own way: some match within a
 * word, or whatever the case.
 */
export type Reply = {
  readonly candidates: readonly Candidate[];
  /** The beginning of the word that each candidate follows: `--format=`. */
  readonly prefix: string;
  /** Files that the shell finds by itself. */
  readonly files?: FileKind;
  /** No space after the candidate: more may follow. */
  readonly isOpen: boolean;
};

/** What the line says about the names that are asked for. */
export type Context = {
  readonly paths: readonly string[];
  readonly host?: string;
  readonly cluster?: string;
  readonly group?: string;
};

/** Where names come from; empty where they cannot be had. */
export type Sources = { readonly findNames: (of: NameKind, context: Context) => Promise<readonly Candidate[]> };

const nothing: Reply = { candidates: [], prefix: '', isOpen: false };

/** What may stand in place of the last word, which may be empty; the words before it are read as the program would. */
export async function complete(program: CommandSpec, words: readonly string[], sources: Sources): Promise<Reply> {
  const word = words.at(-1) ?? '';
  const line = readLine(program, words.slice(0, -1));
  if (line.isLost || line.isEnded) return nothing;
  const { waiting } = line;
  if (waiting?.value !== undefined && (waiting.value.required || !word.startsWith('-'))) {
    return completeValue(waiting.value, line, { prefix: '', typed: word, sources });
  }
  if (word.startsWith('--') && word.includes('=')) {
    const { name, value = '' } = splitLong(word);
    const option = validOptions(line).find(({ long }) => long === name);
    if (option?.value === undefined) return nothing;
    return completeValue(option.value, line, { prefix: `${name}=`, typed: value, sources });
  }
  if (word.startsWith('-')) return { ...nothing, candidates: validOptions(line).flatMap((each) => offer(each, line)) };
  const command = currentCommand(line);
  if (command.subcommands.length > 0) {
    return { ...nothing, candidates: command.subcommands.flatMap((each) => offerCommand(each, word)) };
  }
  const argument = command.arguments[line.operands.length] ?? command.arguments.at(-1);
  const isTaken = line.operands.length >= command.arguments.length && argument?.variadic !== true;
  if (argument === undefined || isTaken) return nothing;
  const reply = await completeValue(argument, line, { prefix: '', typed: word, sources });
  return { ...reply, candidates: reply.candidates.filter(({ text }) => !line.operands.includes(text)) };
}

/** An alias only where its beginning is typed: the list shows every command once. */
function offerCommand({ name, aliases, description }: CommandSpec, typed: string): Candidate[] {
  const begun = aliases.filter((alias) => typed !== '' && alias.startsWith(typed));
  return [name, ...begun].map((text) => ({ text, description }));
}

function offer({ key, short, long, description, repeatable }: OptionSpec, { options }: Line): Candidate[] {
  if (options.has(key) && !repeatable) return [];
  return [short, long].flatMap((text) => (text === undefined ? [] : [{ text, description }]));
}

type Typed = { readonly prefix: string; readonly typed: string; readonly sources: Sources };

async function completeValue(value: ValueSpec, line: Line, { prefix, typed, sources }: Typed): Promise<Reply> {
  const rule = findRule(value) ?? { by: 'nothing' };
  switch (rule.by) {
    case 'choices':
      return { ...nothing, prefix, candidates: rule.choices.map((text) => ({ text, description: '' })) };
    case 'list': {
      const chosen = typed.split(',').slice(0, -1);
      const left = rule.choices.filter((choice) => !chosen.includes(choice));
      const candidates = left.map((text) => ({ text, description: '' }));
      return { prefix: prefix + chosen.map((choice) => `${choice},`).join(''), candidates, isOpen: true };
    }
    case 'names':
      return { ...nothing, prefix, candidates: await sources.findNames(rule.of, readContext(line)) };
    case 'files':
      return { ...nothing, prefix, files: rule.which };
    case 'nothing':
      return nothing;
  }
}

function readContext(line: Line): Context {
  const host = line.options.get('host')?.at(-1);
  const cluster = findNamed(line, 'cluster').at(-1);
  const group = findNamed(line, 'group').at(-1);
  return {
    paths: findNamed(line, 'path'),
    ...(host === undefined ? {} : { host }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(group === undefined ? {} : { group }),
  };
}

/** What the line gives for arguments, or else options, whose value is called so. */
function findNamed(line: Line, name: string): readonly string[] {
  const { arguments: args } = currentCommand(line);
  const given = line.operands.filter((_, index) => (args[index] ?? args.at(-1))?.name === name);
  if (given.length > 0) return given;
  const options = validOptions(line).filter(({ value }) => value?.name === name);
  return options.flatMap(({ key }) => line.options.get(key) ?? []);
}
