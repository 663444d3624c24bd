import type { Argument, Command, Option } from 'commander';
import { collect } from '../program/run.ts';

/** What completion has to know of a command: commander's definitions as plain data. */
export type CommandSpec = {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly description: string;
  readonly options: readonly OptionSpec[];
  readonly arguments: readonly ValueSpec[];
  readonly subcommands: readonly CommandSpec[];
};

export type OptionSpec = {
  /** What options that exclude each other have in common, as --color and --no-color do. */
  readonly key: string;
  readonly short?: string;
  readonly long?: string;
  readonly description: string;
  /** Absent: it takes none. */
  readonly value?: ValueSpec & { readonly required: boolean };
  readonly repeatable: boolean;
};

/** An argument, or the value of an option. */
export type ValueSpec = {
  /** As help says it, without brackets and dots: `group`, `path`. It decides what completes it. */
  readonly name: string;
  readonly description: string;
  readonly variadic: boolean;
  readonly choices?: readonly string[];
};

/** The command and all below it, without what is hidden. */
export function describeCommand(command: Command): CommandSpec {
  const help = command.createHelp();
  return {
    name: command.name(),
    aliases: command.aliases(),
    description: command.description(),
    options: help.visibleOptions(command).map(describeOption),
    arguments: command.registeredArguments.map(describeArgument),
    subcommands: help.visibleCommands(command).map(describeCommand),
  };
}

function describeOption(option: Option): OptionSpec {
  const takesValue = option.required || option.optional;
  return {
    key: option.attributeName(),
    ...(option.short === undefined ? {} : { short: option.short }),
    ...(option.long === undefined ? {} : { long: option.long }),
    description: option.description,
    ...(takesValue ? { value: { ...describeValue(option), required: option.required } } : {}),
    repeatable: option.variadic || option.parseArg === collect,
  };
}

function describeValue(option: Option): ValueSpec {
  const [, name = ''] = /[<[]([^>\].]*)/.exec(option.flags) ?? [];
  return {
    name,
    description: option.description,
    // Of an option that takes several, each is completed like the first.
    variadic: option.variadic,
    ...(option.argChoices === undefined ? {} : { choices: option.argChoices }),
  };
}

function describeArgument(argument: Argument): ValueSpec {
  return {
    name: argument.name(),
    description: argument.description,
    variadic: argument.variadic,
    ...(argument.argChoices === undefined ? {} : { choices: argument.argChoices }),
  };
}
