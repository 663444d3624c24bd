import type { Command } from 'commander';
import type { InitFlags } from '../commands/init.ts';
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

  program
    .command('init')
    .argument('[file]', 'the file to write (default: topology.yaml), - for standard output')
    .description('write a topology file; asks on a terminal what is not said')
    .option('--cluster <name>', 'name of the cluster (default: that of the file, or its folder)')
    .option('--balancer <name>', 'name of the balancer, and of its group (default: lb1)')
    .option('--port <port>', 'port of the host that clients connect to (default: 19999)')
    .option('--replicas <count>', 'how many replicas (default: 2)')
    .option('--image <image>', 'image of PostgreSQL (default: postgres:17)')
    .option('--database <name>', 'database that is created (default: postgres)')
    .option('--subnet <subnet>', 'subnet of the network (default: one that the engine chooses)')
    .option('--quorum', 'commits wait until a replica has them')
    .option('-y, --yes', 'do not ask; defaults for what is not said')
    .option('--force', 'replace a file that is there')
    .option('--no-schema', 'without .topology.schema.json beside it, which editors read')
    .addHelpText(
      'after',
      '\nExamples:\n  pgherd init\n  pgherd init --yes --cluster shop --replicas 1 shop.yaml\n  pgherd init --yes -',
    )
    .action(async (file: string | undefined, flags: unknown, self: Command) => {
      await runs<InitFlags>(async (files, all, output) =>
        (await import('../commands/init.ts')).init(files, all, output),
      )(file === undefined ? [] : [file], flags, self);
    });

  program
    .command('schema')
    .description('print the JSON Schema of topology files')
    .addHelpText('after', '\nExamples:\n  pgherd schema > .topology.schema.json')
    .action(async (flags: unknown, self: Command) => {
      await runs<GlobalOptions>(async (_args, _flags, output) =>
        (await import('../commands/schema.ts')).schema(output),
      )([], flags, self);
    });
}
