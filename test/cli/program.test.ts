import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { findRule } from '../../src/cli/completion/rules.ts';
import { describeCommand, type CommandSpec } from '../../src/cli/completion/tree.ts';
import { createProgram } from '../../src/cli/program/program.ts';

const widest = 100;

function shown(program: Command): readonly Command[] {
  return program.createHelp().visibleCommands(program);
}

/** Help as a terminal of that width shows it, with what follows the lists. */
function help(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => widest });
  command.outputHelp();
  return text;
}

const program = createProgram();
const commands = shown(program).map((command) => [command.name(), command] as const);

describe.each(commands)('the help of %s', (name, command) => {
  it('says what it does', () => {
    expect(command.description()).toMatch(/^[a-z].*[^.]$/);
  });

  it('has an example', () => {
    expect(help(command)).toMatch(new RegExp(`Examples:\n[^]*pgherd ${name}\\b`));
  });

  it('says what each argument and option means', () => {
    for (const { long, description } of command.createHelp().visibleOptions(command)) {
      expect(`${long ?? ''}: ${description}`).toMatch(/: .{3}/);
    }
    for (const argument of command.registeredArguments) {
      expect(`${argument.name()}: ${argument.description}`).toMatch(/: .{3}/);
    }
  });

  it(`fits ${widest} columns`, () => {
    for (const line of help(command).split('\n')) expect(line.length, line).toBeLessThanOrEqual(widest);
  });
});

it(`the help of the program fits ${widest} columns, and has an example`, () => {
  expect(help(program)).toContain('Examples:');
  for (const line of help(program).split('\n')) expect(line.length, line).toBeLessThanOrEqual(widest);
});

it('what each argument and each option takes is known to completion', () => {
  const unknown = listValues(describeCommand(program)).filter(({ value }) => findRule(value) === undefined);
  expect(unknown.map(({ where, value }) => `${where}: add "${value.name}" to src/cli/completion/rules.ts`)).toEqual([]);
});

function listValues({ name, options, arguments: args, subcommands }: CommandSpec): {
  where: string;
  value: CommandSpec['arguments'][number];
}[] {
  return [
    ...args.map((value) => ({ where: name, value })),
    ...options.flatMap(({ long = '', value }) => (value === undefined ? [] : [{ where: `${name} ${long}`, value }])),
    ...subcommands.flatMap(listValues),
  ];
}
