import type { Command } from 'commander';
import type { EventsFlags } from '../commands/events.ts';
import type { StatusFlags } from '../commands/status.ts';
import type { ExecFlags } from '../commands/exec.ts';
import type { LogsFlags } from '../commands/logs.ts';
import type { PasswordFlags } from '../commands/password.ts';
import type { PsqlFlags } from '../commands/psql.ts';
import type { VolumesFlags } from '../commands/volumes.ts';
import { collect, parseCount, parsePositive, pathsHelp, runs, splitAtDashes, stateDirHelp } from './run.ts';

/** Commands that look, and change nothing. */
export function addLookCommands(program: Command): void {
  program.commandsGroup('Looking at clusters:');

  program
    .command('status')
    .argument('[path...]', pathsHelp)
    .description('show how clusters are, and what to do next')
    .option('-w, --watch', 'again and again, until Ctrl-C; where it is no terminal, whenever something has changed')
    .option('--interval <seconds>', 'with --watch: the time between two looks', parsePositive, 2)
    .option('--exit-code', 'exit with 3 where a cluster is not healthy, or not as its file says')
    .option('--state-dir <folder>', stateDirHelp)
    .addHelpText(
      'after',
      '\nExamples:\n  pgherd status\n  pgherd status --watch shop.yaml\n  pgherd status --format json shop.yaml',
    )
    .action(
      runs<StatusFlags>(async (files, flags, output) =>
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

  addLogs(program);
  addVolumes(program);
  program.commandsGroup('Going into clusters:');
  addPsql(program);
  addExec(program);
  addPassword(program);
}

const clusterHelp = 'where several clusters have one of that name (default: that of the topology file here)';

function addLogs(program: Command): void {
  program
    .command('logs')
    .argument('[server...]', 'nodes, balancers or containers of theirs (default: all)')
    .description('show what servers and balancers log')
    .option('-f, --follow', 'go on with what comes, until Ctrl-C; runs and containers that come later too')
    .option('--since <time>', 'a time ago (90s, 10m, 2h, 3d), or a date and time')
    .option('--tail <lines>', 'the last so many of each (default: all)', parseCount)
    .option('--timestamps', 'when each line was written')
    .option('--cluster <cluster>', 'of this cluster alone')
    .addHelpText(
      'after',
      '\nExamples:\n  pgherd logs --tail 20\n  pgherd logs -f --since 10m lb1-primary lb1\n' +
        '  pgherd logs --format json --since 2026-11-23T13:45',
    )
    .action(
      runs<LogsFlags>(async (nodes, flags, output) => (await import('../commands/logs.ts')).logs(nodes, flags, output)),
    );
}

function addVolumes(program: Command): void {
  program
    .command('volumes')
    .argument('[cluster...]', 'names of clusters (default: all)')
    .description('list the volumes that hold data, kept ones too')
    .option('--size', 'how large each is: slow, the engine reads all of them')
    .addHelpText('after', '\nExamples:\n  pgherd volumes\n  pgherd volumes shop --size')
    .action(
      runs<VolumesFlags>(async (clusters, flags, output) =>
        (await import('../commands/volumes.ts')).volumes(clusters, flags, output),
      ),
    );
}

function addPsql(program: Command): void {
  program
    .command('psql')
    .usage('[options] [group] [-- ARGUMENTS OF PSQL...]')
    .argument('[group]', 'the name of a balancer; may be left out where there is one alone')
    .argument('[argument...]', "psql's own, after --")
    .description("open psql as a group's superuser, by the balancer or on one node; no password is asked for")
    .option('--node <node>', 'straight to this server, not by the balancer')
    .option('--cluster <cluster>', clusterHelp)
    .showHelpAfterError('(what is meant for psql goes after --, see pgherd psql --help)')
    .addHelpText(
      'after',
      "\nIt runs in a node's container, and needs no psql here, no file and no port. The database is the\n" +
        "group's own; another one is named as psql has it named. Its exit code is that of psql.\n\n" +
        "Examples:\n  pgherd psql\n  pgherd psql lb1 -- -c 'select version()'\n  pgherd psql lb1 -- otherdb <dump.sql\n" +
        '  pgherd psql --node lb1-replica1',
    )
    .action(async (_group: unknown, _args: unknown, flags: unknown, self: Command) => {
      const { before, after } = splitAtDashes(self.args);
      if (before.length > 1) self.error(`error: one group is expected, got ${before.join(', ')}`);
      await runs<PsqlFlags>(async (_, read, output) =>
        (await import('../commands/psql.ts')).psql(before[0], after, read, output),
      )([], flags, self);
    });
}

function addExec(program: Command): void {
  program
    .command('exec')
    .usage('[options] <server> -- COMMAND [ARGUMENTS...]')
    .argument('<server>', 'a node or balancer, or a container of theirs')
    .argument('<command...>', 'the command and its arguments, after --')
    .description("run a command in a node's or balancer's container")
    .option('-u, --user <name>', "user in the container (default: the container's)")
    .option('-T, --no-tty', 'no terminal, even where there is one')
    .option('--cluster <cluster>', clusterHelp)
    .showHelpAfterError('(options of the command go after --, see pgherd exec --help)')
    .addHelpText(
      'after',
      '\nIts exit code is that of the command, which ends when pgherd does.\n\n' +
        'Examples:\n  pgherd exec lb1-primary -- df -h /var/lib/postgresql/data\n  pgherd exec lb1-replica1 -- bash\n' +
        '  pgherd exec lb1 -- cat /etc/hosts',
    )
    .action(async (node: string, command: readonly string[], flags: unknown, self: Command) => {
      await runs<ExecFlags>(async (_, read, output) =>
        (await import('../commands/exec.ts')).exec(node, command, read, output),
      )([], flags, self);
    });
}

function addPassword(program: Command): void {
  const password = program
    .command('password')
    .description("show the password of a group's superuser, or where it stands")
    .helpCommand(false)
    .addHelpText('after', '\nExamples:\n  PGPASSWORD=$(pgherd password show lb1) psql …\n  pgherd password path lb1');
  for (const [name, description] of [
    ['show', 'print the password'],
    ['path', 'print where it stands: a container, and a file in it'],
  ] as const) {
    password
      .command(name)
      .argument('[group]', 'the name of a balancer; may be left out where there is one alone')
      .description(description)
      .option('--cluster <cluster>', clusterHelp)
      .addHelpText('after', `\nExamples:\n  pgherd password ${name} lb1`)
      .action(async (group: string | undefined, flags: unknown, self: Command) => {
        await runs<PasswordFlags>(async (_, read, output) =>
          (await import('../commands/password.ts'))[name](group, read, output),
        )([], flags, self);
      });
  }
}
