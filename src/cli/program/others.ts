import { Argument, type Command } from 'commander';
import type { GlobalOptions } from '../session.ts';
import { runs } from './run.ts';

/** Commands about pgherd itself. */
export function addOtherCommands(program: Command): void {
  program.commandsGroup('More:');

  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'the shell to complete in').choices(['bash', 'zsh', 'fish']))
    .description('print a script that has a shell complete commands, options, and names of clusters, groups and nodes')
    .addHelpText('after', completionHelp)
    .action(async (shell: string, flags: unknown, self: Command) => {
      await runs<GlobalOptions>(async (args, _flags, output) =>
        (await import('../commands/completion.ts')).completion(args, output),
      )([shell], flags, self);
    });

  program
    .command('version')
    .description('print the versions of pgherd, Node.js and the Docker engine')
    .option('--client', 'ask no engine')
    .addHelpText('after', '\nExamples:\n  pgherd version\n  pgherd version --client --format json')
    .action(async (flags: unknown, self: Command) => {
      await runs<GlobalOptions & { client?: boolean }>(async (_args, all, output) =>
        (await import('../commands/version.ts')).version(all, output),
      )([], flags, self);
    });

  const namesOf = (command: Command): readonly string[] => [command.name(), ...command.aliases()];
  const commands = program.commands.flatMap(namesOf);
  program
    .command('help')
    .addArgument(new Argument('[command]', 'the command to explain (default: all, a line each)').choices(commands))
    .description('print this help, or that of a command')
    .addHelpText('after', '\nExamples:\n  pgherd help\n  pgherd help reconcile')
    .action((asked: string | undefined) => {
      const command = program.commands.find((each) => asked !== undefined && namesOf(each).includes(asked));
      (command ?? program).outputHelp();
    });

  program
    .command('__complete', { hidden: true })
    .argument('[word...]')
    .option('--quoted', 'words are as typed, with the quotes of bash')
    .action(async (words: readonly string[], options: { readonly quoted?: boolean }) => {
      const { answerCompletion } = await import('../commands/complete.ts');
      const answer = await answerCompletion(program, words, options);
      // A connection that is under way, or kept alive, would hold the process.
      process.stdout.write(answer, () => process.exit());
    });
}

const completionHelp = `
Examples:
  source <(pgherd completion bash)   this bash
  source <(pgherd completion zsh)    this zsh, after compinit
  pgherd completion fish | source    this fish

For every bash from now on, with the package bash-completion:
  you      pgherd completion bash > ~/.local/share/bash-completion/completions/pgherd
  all      pgherd completion bash > /usr/share/bash-completion/completions/pgherd
  without the package: source <(pgherd completion bash) in ~/.bashrc

For every zsh:
  you      pgherd completion zsh > ~/.zfunc/_pgherd
           and in ~/.zshrc, before compinit: fpath=(~/.zfunc $fpath)
  all      pgherd completion zsh > /usr/local/share/zsh/site-functions/_pgherd

For every fish:
  you      pgherd completion fish > ~/.config/fish/completions/pgherd.fish
  all      pgherd completion fish > /usr/share/fish/vendor_completions.d/pgherd.fish

Folders that are missing are made with mkdir -p. Names come from the topology files of the line or
here; where there are none, from the engine, if it answers within a second.`;
