import type { Command } from 'commander';
import type { GlobalOptions } from '../session.ts';
import { pathsHelp, runs } from './run.ts';

/** Commands about topology files, which ask no engine. */
export function addFileCommands(program: Command): void {
  program.commandsGroup('Topology files:');

  program
    .command('validate')
    .argument('[path...]', pathsHelp)
    .description('check topology files; asks no engine')
    .addHelpText('after', '\nExamples:\n  pgherd validate\n  pgherd validate shop.yaml topologies/')
    .action(
      runs<GlobalOptions>(async (files, _flags, output) =>
        (await import('../commands/validate.ts')).validate(files, output),
      ),
    );
}
