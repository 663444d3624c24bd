import type { CommandSpec, OptionSpec } from './tree.ts';

/** A command line as far as it is typed, read as the command itself would read it. */
export type Line = {
  /** The program, and the commands down to the one that is meant. */
  readonly commands: readonly [CommandSpec, ...CommandSpec[]];
  /** What stands there and is no option, after the command. */
  readonly operands: readonly string[];
  /** The options used, by key, with their values. */
  readonly options: ReadonlyMap<string, readonly string[]>;
  /** The option whose value comes next. */
  readonly waiting?: OptionSpec;
  /** After `--`, where nothing is an option. */
  readonly isEnded: boolean;
  /** After a command that does not exist. */
  readonly isLost: boolean;
};

/** Reads whole words: those before the one that is being typed. */
export function readLine(program: CommandSpec, words: readonly string[]): Line {
  const start: Line = { commands: [program], operands: [], options: new Map(), isEnded: false, isLost: false };
  let line = start;
  for (const word of words) line = readWord(line, word);
  return line;
}

/** The command that is meant. */
export function currentCommand({ commands }: Line): CommandSpec {
  return commands.at(-1) ?? commands[0];
}

/** The options of the command, then those of the program, which stand anywhere. */
export function validOptions({ commands }: Line): readonly OptionSpec[] {
  const seen = new Set<string>();
  return commands.toReversed().flatMap(({ options }, depth) =>
    options.filter((option) => {
      const name = option.long ?? option.short ?? '';
      const isRepeated = seen.has(name);
      seen.add(name);
      // The version is asked of the program alone.
      return !isRepeated && (depth === 0 || option.key !== 'version');
    }),
  );
}

function readWord(line: Line, word: string): Line {
  if (line.isEnded) return { ...line, operands: [...line.operands, word] };
  const { waiting, ...rest } = line;
  if (waiting !== undefined && (waiting.value?.required === true || !word.startsWith('-'))) {
    return addOption(rest, waiting, word);
  }
  if (word === '--') return { ...rest, isEnded: true };
  if (word.startsWith('--')) return readLong(rest, word);
  if (word.startsWith('-') && word.length > 1) return readShort(rest, word.slice(1));
  const { subcommands } = currentCommand(rest);
  if (subcommands.length === 0) return { ...rest, operands: [...rest.operands, word] };
  const next = subcommands.find(({ name, aliases }) => name === word || aliases.includes(word));
  return next === undefined ? { ...rest, isLost: true } : { ...rest, commands: [...rest.commands, next] };
}

function readLong(line: Line, word: string): Line {
  const { name, value } = splitLong(word);
  const option = validOptions(line).find(({ long }) => long === name);
  if (option === undefined) return line;
  if (value !== undefined) return addOption(line, option, value);
  return option.value === undefined ? addOption(line, option) : { ...addOption(line, option), waiting: option };
}

/** `--name=value` in its parts. */
export function splitLong(word: string): { readonly name: string; readonly value?: string } {
  const at = word.indexOf('=');
  return at === -1 ? { name: word } : { name: word.slice(0, at), value: word.slice(at + 1) };
}

/** Several options may stand in one word, `-vf`, the last with its value: `-vHunix:///run/docker.sock`. */
function readShort(line: Line, letters: string): Line {
  const option = validOptions(line).find(({ short }) => short === `-${letters.slice(0, 1)}`);
  const rest = letters.slice(1);
  if (option === undefined) return line;
  if (option.value === undefined) {
    const used = addOption(line, option);
    return rest === '' ? used : readShort(used, rest);
  }
  return rest === '' ? { ...addOption(line, option), waiting: option } : addOption(line, option, rest);
}

function addOption(line: Line, { key }: OptionSpec, value?: string): Line {
  const values = [...(line.options.get(key) ?? []), ...(value === undefined ? [] : [value])];
  return { ...line, options: new Map([...line.options, [key, values]]) };
}
