import type { Command } from 'commander';
import type { HandoverFlags } from '../commands/handover.ts';
import type { PruneFlags } from '../commands/prune.ts';
import type { AddFlags, RemoveFlags } from '../commands/scale.ts';
import type { GlobalOptions } from '../session.ts';
import { collect, parsePositive, parsePositiveCount, pathsHelp, runs, stateDirHelp } from './run.ts';

type ReconcileFlags = GlobalOptions & {
  readonly once?: boolean;
  readonly timeout: number;
  readonly parallel: number;
  readonly resync: number;
  readonly poll?: boolean;
  readonly stateDir?: string;
};

/** Commands that change clusters, and the one that shows what would be changed. */
export function addChangeCommands(program: Command): void {
  program.commandsGroup('Changing clusters:');

  program
    .command('plan')
    .argument('[path...]', pathsHelp)
    .description('show what reconcile would do; changes nothing')
    .option('--detailed-exitcode', 'exit with 2 where something is to be done')
    .addHelpText(
      'after',
      '\nExamples:\n  pgherd plan shop.yaml\n  pgherd plan --format json --detailed-exitcode shop.yaml',
    )
    .action(
      runs<GlobalOptions & { detailedExitcode?: boolean }>(async (files, flags, output) =>
        (await import('../commands/plan.ts')).plan(files, flags, output),
      ),
    );

  program
    .command('reconcile')
    .argument('[path...]', pathsHelp)
    .alias('daemon')
    .description('bring clusters to what their files say, and keep them there; with --once, end when they are')
    .option('--once', 'end when they are, or cannot be')
    .option('--timeout <seconds>', 'with --once: give up after this time', parsePositive, 600)
    .option('--parallel <steps>', 'how many steps at once', parsePositive, 8)
    .option('--resync <seconds>', 'look at everything this often, events or none', parsePositive, 300)
    .option('--poll', 'watch files by looking at them, for network mounts')
    .option('--state-dir <folder>', stateDirHelp)
    .addHelpText(
      'after',
      '\nExamples:\n  pgherd reconcile topologies/\n  pgherd reconcile --once --timeout 120 shop.yaml\n\n' +
        'Without --once it watches files and engine until SIGTERM; SIGHUP has it look at everything anew.',
    )
    .action(
      runs<ReconcileFlags>(async (files, flags, output) =>
        flags.once === true
          ? (await import('../commands/reconcile.ts')).reconcile(files, flags, output)
          : (await import('../commands/daemon.ts')).daemon(files, flags, output),
      ),
    );

  addScaleCommands(program);

  for (const [name, description, example] of [
    ['switchover', 'have another node lead a group, without a loss', 'lb1 --to lb1-replica1'],
    ['failover', 'have another node lead a group whose leader is gone', 'lb1 --allow-data-loss'],
  ] as const) {
    const command = program
      .command(name)
      .argument('<group>', 'the name of a balancer in the file')
      .argument('[path...]', pathsHelp)
      .description(description)
      .option('--to <node>', 'who is to lead (default: who has most)')
      .option('--timeout <seconds>', 'give up after this time', parsePositive, 120)
      .option('--state-dir <folder>', stateDirHelp)
      .addHelpText('after', `\nExamples:\n  pgherd ${name} lb1\n  pgherd ${name} ${example} shop.yaml`);
    if (name === 'failover') {
      command.option(
        '--allow-data-loss',
        'also where what was acknowledged may be lost, and with a leader that answers',
      );
    }
    command.action(async (group: string, files: readonly string[], _flags: unknown, self: Command) => {
      await runs<HandoverFlags>(async (_paths, flags, output) =>
        (await import('../commands/handover.ts'))[name](group, files, flags, output),
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
          (await import('../commands/pause.ts'))[name](clusters, flags, output),
        ),
      );
  }

  program
    .command('destroy')
    .argument('[path...]', pathsHelp)
    .description('remove clusters; their volumes are kept')
    .option('--volumes', 'remove their volumes too, with all data')
    .option('-y, --yes', 'do not ask')
    .option('--timeout <seconds>', 'give up after this time', parsePositive, 600)
    .option('--state-dir <folder>', stateDirHelp)
    .addHelpText('after', '\nExamples:\n  pgherd destroy shop.yaml\n  pgherd destroy --volumes --yes shop.yaml')
    .action(
      runs<GlobalOptions & { volumes?: boolean; yes?: boolean; timeout: number; stateDir?: string }>(
        async (files, flags, output) => (await import('../commands/destroy.ts')).destroy(files, flags, output),
      ),
    );

  addPrune(program);
}

function addPrune(program: Command): void {
  program
    .command('prune')
    .argument('[volume...]', 'names of volumes; without any, those that may go are listed')
    .description('remove volumes that no node needs any more, and the data in them')
    .option('--file <path>', 'the topology file of their cluster, or a folder; may be repeated', collect)
    .option('-y, --yes', 'do not ask')
    .option('--state-dir <folder>', stateDirHelp)
    .addHelpText(
      'after',
      '\nOnly volumes of an earlier generation, or of nodes that the file has no more; which those are, the\n' +
        'file says (default: topology.{yaml,yml,json} or topologies/ here). One that a container has is never\n' +
        'removed.\n\n' +
        'Examples:\n  pgherd prune\n  pgherd prune --file shop.yaml shop_lb1_0_1\n  pgherd prune --yes shop_lb1_0_1 shop_lb1_3_1',
    )
    .action(
      runs<PruneFlags>(async (names, flags, output) =>
        (await import('../commands/prune.ts')).prune(names, flags, output),
      ),
    );
}

function addScaleCommands(program: Command): void {
  const declare = (name: string, description: string): Command =>
    program
      .command(name)
      .argument('[path...]', pathsHelp)
      .description(description)
      .requiredOption('--balancer <group>', 'the name of a balancer in the file')
      .option('--no-reconcile', 'change the file only')
      .option('--dry-run', 'show the change of the file and the plan; change nothing')
      .option('--timeout <seconds>', 'give up after this time', parsePositive, 600)
      .option('--parallel <steps>', 'how many steps at once', parsePositive, 8)
      .option('--state-dir <folder>', stateDirHelp);

  declare('add-replica', 'add replicas to a group: in its file, all else there kept as it is, then in Docker')
    .option('--count <number>', 'how many', parsePositiveCount, 1)
    .addHelpText(
      'after',
      '\nExamples:\n  pgherd add-replica --balancer lb1\n  pgherd add-replica --balancer lb1 --count 2 --dry-run shop.yaml',
    )
    .action(
      runs<AddFlags>(async (files, flags, output) =>
        (await import('../commands/scale.ts')).addReplica(files, flags, output),
      ),
    );

  declare('remove-replica', 'remove a replica from a group: from its file, then from Docker; its volume is kept')
    .requiredOption('--node <node>', 'its node_id, its name, or the name of its container')
    .addHelpText(
      'after',
      '\nExamples:\n  pgherd remove-replica --balancer lb1 --node 2\n' +
        '  pgherd remove-replica --balancer lb1 --node lb1-replica2 --dry-run shop.yaml',
    )
    .action(
      runs<RemoveFlags>(async (files, flags, output) =>
        (await import('../commands/scale.ts')).removeReplica(files, flags, output),
      ),
    );
}
