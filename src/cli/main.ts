#!/usr/bin/env node
import { Command, InvalidArgumentError, Option } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import type { HandoverFlags } from './commands/handover.ts';
import type { EventsFlags } from './commands/events.ts';
import { exitCodes, type ExitCode } from './exit.ts';
import { createOutput, formatError, type Output } from './output.ts';
import type { GlobalOptions } from './session.ts';

// Each command is loaded when it is called, so that `--version` and `validate` start as fast as Node does.

const paths = 'topology files or folders of them (default: topology.{yaml,yml,json} or topologies/ here)';

const stateDir = 'where events are kept (default: pgherd in $XDG_STATE_HOME or ~/.local/state)';

type ReconcileFlags = GlobalOptions & {
  readonly once?: boolean;
  readonly timeout: number;
  readonly parallel: number;
  readonly resync: number;
  readonly poll?: boolean;
  readonly stateDir?: string;
};

type Run<F> = (paths: readonly string[], flags: F, output: Output) => Promise<ExitCode>;

function createProgram(): Command {
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

  program
    .command('validate')
    .argument('[path...]', paths)
    .description('check topology files; asks no engine')
    .addHelpText('after', '\nExamples:\n  pgherd validate\n  pgherd validate shop.yaml topologies/')
    .action(
      runs<GlobalOptions>(async (files, _flags, output) =>
        (await import('./commands/validate.ts')).validate(files, output),
      ),
    );

  program
    .command('plan')
    .argument('[path...]', paths)
    .description('show what reconcile would do; changes nothing')
    .option('--detailed-exitcode', 'exit with 2 where something is to be done')
    .addHelpText(
      'after',
      '\nExamples:\n  pgherd plan shop.yaml\n  pgherd plan --format json --detailed-exitcode shop.yaml',
    )
    .action(
      runs<GlobalOptions & { detailedExitcode?: boolean }>(async (files, flags, output) =>
        (await import('./commands/plan.ts')).plan(files, flags, output),
      ),
    );

  program
    .command('reconcile')
    .argument('[path...]', paths)
    .alias('daemon')
    .description('bring clusters to what their files say, and keep them there; with --once, end when they are')
    .option('--once', 'end when they are, or cannot be')
    .option('--timeout <seconds>', 'with --once: give up after this time', parsePositive, 600)
    .option('--parallel <steps>', 'how many steps at once', parsePositive, 8)
    .option('--resync <seconds>', 'look at everything this often, events or none', parsePositive, 300)
    .option('--poll', 'watch files by looking at them, for network mounts')
    .option('--state-dir <folder>', stateDir)
    .addHelpText(
      'after',
      '\nExamples:\n  pgherd reconcile topologies/\n  pgherd reconcile --once --timeout 120 shop.yaml\n\n' +
        'Without --once it watches files and engine until SIGTERM; SIGHUP has it look at everything anew.',
    )
    .action(
      runs<ReconcileFlags>(async (files, flags, output) =>
        flags.once === true
          ? (await import('./commands/reconcile.ts')).reconcile(files, flags, output)
          : (await import('./commands/daemon.ts')).daemon(files, flags, output),
      ),
    );

  for (const [name, description, example] of [
    ['switchover', 'have another node lead a group, without a loss', 'lb1 --to lb1-replica1'],
    ['failover', 'have another node lead a group whose leader is gone', 'lb1 --allow-data-loss'],
  ] as const) {
    const command = program
      .command(name)
      .argument('<group>', 'the name of a balancer in the file')
      .argument('[path...]', paths)
      .description(description)
      .option('--to <node>', 'who is to lead (default: who has most)')
      .option('--timeout <seconds>', 'give up after this time', parsePositive, 120)
      .option('--state-dir <folder>', stateDir)
      .addHelpText('after', `\nExamples:\n  pgherd ${name} lb1\n  pgherd ${name} ${example} shop.yaml`);
    if (name === 'failover') {
      command.option(
        '--allow-data-loss',
        'also where what was acknowledged may be lost, and with a leader that answers',
      );
    }
    command.action(async (group: string, files: readonly string[], _flags: unknown, self: Command) => {
      await runs<HandoverFlags>(async (_paths, flags, output) =>
        (await import('./commands/handover.ts'))[name](group, files, flags, output),
      )(files, _flags, self);
    });
  }

  for (const [name, description] of [
    ['pause', 'have nothing but looking done to clusters, by whichever pgherd keeps them'],
    ['resume', 'end a pause'],
  ] as const) {
    program
      .command(name)
      .argument('<cluster...>', 'names of clusters')
      .description(description)
      .addHelpText('after', `\nExamples:\n  pgherd ${name} shop`)
      .action(
        runs<GlobalOptions>(async (clusters, flags, output) =>
          (await import('./commands/pause.ts'))[name](clusters, flags, output),
        ),
      );
  }

  program
    .command('events')
    .argument('[cluster...]', 'names of clusters (default: all)')
    .description('show what was done to clusters, and why')
    .option('-f, --follow', 'go on with what comes, until Ctrl-C')
    .option('--since <time>', 'a time ago (90s, 10m, 2h, 3d), or a date and time')
    .option('--type <types>', 'only these, with commas between; may be repeated', collect)
    .option('--limit <number>', 'how many past events (default: 100; with --follow 10)', parsePositive)
    .option('--state-dir <folder>', stateDir)
    .addHelpText(
      'after',
      '\nExamples:\n  pgherd events\n  pgherd events shop --since 2h --type step-failed,blocked\n  pgherd events -f',
    )
    .action(
      runs<EventsFlags>(async (clusters, flags, output) =>
        (await import('./commands/events.ts')).events(clusters, flags, output),
      ),
    );

  program
    .command('status')
    .argument('[path...]', paths)
    .description('show how clusters are')
    .option('--state-dir <folder>', stateDir)
    .addHelpText('after', '\nExamples:\n  pgherd status\n  pgherd status --format json shop.yaml')
    .action(
      runs<GlobalOptions & { stateDir?: string }>(async (files, flags, output) =>
        (await import('./commands/status.ts')).status(files, flags, output),
      ),
    );

  program
    .command('destroy')
    .argument('[path...]', paths)
    .description('remove clusters; their volumes are kept')
    .option('--volumes', 'remove their volumes too, with all data')
    .option('-y, --yes', 'do not ask')
    .option('--timeout <seconds>', 'give up after this time', parsePositive, 600)
    .option('--state-dir <folder>', stateDir)
    .addHelpText('after', '\nExamples:\n  pgherd destroy shop.yaml\n  pgherd destroy --volumes --yes shop.yaml')
    .action(
      runs<GlobalOptions & { volumes?: boolean; yes?: boolean; timeout: number; stateDir?: string }>(
        async (files, flags, output) => (await import('./commands/destroy.ts')).destroy(files, flags, output),
      ),
    );

  return program;
}

const examples = `
Examples:
  pgherd validate shop.yaml          check a file
  pgherd plan shop.yaml              see what would be done
  pgherd reconcile --once shop.yaml  do it
  pgherd status shop.yaml            see how it is

Exit codes: 0 done or nothing to do, 1 error, 2 changes (plan --detailed-exitcode), 3 not converged.`;

function runs<F extends GlobalOptions>(
  run: Run<F>,
): (files: readonly string[], flags: unknown, command: Command) => Promise<void> {
  return async (files, _flags, command) => {
    const flags = command.optsWithGlobals<F>();
    const output = createOutput({ format: flags.format, color: flags.color });
    process.exitCode = await run(files, flags, output).catch((error: unknown) => {
      output.note(formatError(error));
      return exitCodes.error;
    });
    // Kept-alive connections to the engine would hold the process for seconds.
    await flushed(process.stdout);
    await flushed(process.stderr);
    process.exit();
  };
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => {
      resolve();
    });
  });
}

function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

function parsePositive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('expected a number above 0.');
  return value;
}

// A reader that has seen enough (head, less) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(exitCodes.done);
});

await createProgram().parseAsync();
