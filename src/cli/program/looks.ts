import type { Command } from 'commander';
import type { EventsFlags } from '../commands/events.ts';
import type { GlobalOptions } from '../session.ts';
import { collect, parsePositive, pathsHelp, runs, stateDirHelp } from './run.ts';

/** Commands that look, and change nothing. */
export function addLookCommands(program: Command): void {
  program.commandsGroup('Looking at clusters:');

  program
    .command('status')
    .argument('[path...]', pathsHelp)
    .description('show how clusters are')
    .option('--state-dir <folder>', stateDirHelp)
    .addHelpText('after', '\nExamples:\n  pgherd status\n  pgherd status --format json shop.yaml')
    .action(
      runs<GlobalOptions & { stateDir?: string }>(async (files, flags, output) =>
        (await import('../commands/status.ts')).status(files, flags, output),
      ),
    );

  program
    .command('events')
    .argument('[cluster...]', 'names of clusters (default: all)')
    .description('show what was done to clusters, and why')
    .option('-f, --follow', 'go on with what comes, until Ctrl-C')
    .option('--since <time>', 'a time ago (90s, 10m, 2h, 3d), or a date and time')
    .option('--type <types>', 'only these, with commas between; may be repeated', collect)
    .option('--limit <number>', 'how many past events (default: 100; with --follow 10)', parsePositive)
    .option('--state-dir <folder>', stateDirHelp)
    .addHelpText(
      'after',
      '\nExamples:\n  pgherd events\n  pgherd events shop --since 2h --type step-failed,blocked\n  pgherd events -f',
    )
    .action(
      runs<EventsFlags>(async (clusters, flags, output) =>
        (await import('../commands/events.ts')).events(clusters, flags, output),
      ),
    );
}
