import { Command, Option } from 'commander';
import packageJson from '../../../package.json' with { type: 'json' };
import { addChangeCommands } from './changes.ts';
import { addFileCommands } from './files.ts';
import { addLookCommands } from './looks.ts';
import { addOtherCommands } from './others.ts';

// Each command is loaded when it is called, so that `--version` and `validate` start as fast as Node does.

/** The command line: every command with its options, and what it runs. */
export function createProgram(): Command {
  const program = new Command('pgherd')
    .description('Keeps PostgreSQL clusters on Docker the way a file says.')
    .version(packageJson.version, '-V, --version', 'print the version')
    .option('-H, --host <address>', 'the Docker engine (default: DOCKER_HOST, the docker context, the standard socket)')
    .addOption(new Option('--format <format>', 'how results are printed').choices(['text', 'json']).default('text'))
    .option('-v, --verbose', 'show each call to the engine')
    .option('--no-color', 'no colours (also NO_COLOR)')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .showSuggestionAfterError()
    .showHelpAfterError('(see pgherd --help)')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', examples);

  addFileCommands(program);
  addChangeCommands(program);
  addLookCommands(program);
  addOtherCommands(program);
  return program;
}

const examples = `
Examples:
  pgherd validate shop.yaml          check a file
  pgherd plan shop.yaml              see what would be done
  pgherd reconcile --once shop.yaml  do it
  pgherd status shop.yaml            see how it is

Exit codes: 0 done or nothing to do, 1 error, 2 changes (plan --detailed-exitcode), 3 not converged,
130 called off by Ctrl-C; of psql and exec that of the program.`;
