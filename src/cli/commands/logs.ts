import type { LogLine, LogOptions, OperatorEngine } from '../../docker/operator.ts';
import { findServer, listServers, ofCluster, type Server } from '../../reconcile/find.ts';
import { exitCodes, type ExitCode } from '../exit.ts';
import { findOnEngine } from '../find-on-engine.ts';
import { followLogs } from '../follow-logs.ts';
import { interruption } from '../interruption.ts';
import { mergeLogs } from '../merge-logs.ts';
import { painter, type Output } from '../output.ts';
import { logRenderer, type Writer } from '../render/log-lines.ts';
import { connect, type GlobalOptions } from '../session.ts';
import { parseSince, sinceForms } from '../since.ts';

export type LogsFlags = GlobalOptions & {
  readonly follow?: boolean;
  readonly since?: string;
  readonly tail?: number;
  readonly timestamps?: boolean;
  readonly cluster?: string;
};

/** Prints what servers and balancers log; with --follow until Ctrl-C. */
export async function logs(words: readonly string[], flags: LogsFlags, output: Output): Promise<ExitCode> {
  const since = flags.since === undefined ? undefined : parseSince(flags.since, new Date());
  if (flags.since !== undefined && since === undefined) {
    output.note(`error: --since ${JSON.stringify(flags.since)}: expected ${sinceForms}`);
    return exitCodes.error;
  }
  const engine = await connect(flags, output);
  const wanted = await findOnEngine(engine, (servers) => selectServers(servers, words, flags.cluster));
  const options = {
    ...(since === undefined ? {} : { since: String(since.getTime() / 1000) }),
    ...(flags.tail === undefined ? {} : { tail: flags.tail }),
  };
  const print = linePrinter(wanted, flags, output);
  const signal = interruption();
  if (flags.follow !== true) {
    await printPast(engine, wanted, options, print, signal);
    return exitCodes.done;
  }
  const isWanted = ({ cluster, name }: Server): boolean =>
    words.length === 0
      ? flags.cluster === undefined || cluster === flags.cluster
      : wanted.some((each) => each.cluster === cluster && each.name === name);
  const list = async (): Promise<readonly Server[]> => (await listServers(engine)).filter(isWanted);
  await followLogs({ engine, list, options, print }, signal);
  return exitCodes.done;
}

function selectServers(
  servers: readonly Server[],
  words: readonly string[],
  cluster: string | undefined,
): readonly Server[] {
  const all = ofCluster(servers, cluster);
  return words.length === 0 ? all : [...new Set(words.map((word) => findServer(all, word, cluster)))];
}

type Print = (writer: Writer, line: LogLine) => void;

function linePrinter(ahead: readonly Server[], { timestamps = false }: LogsFlags, output: Output): Print {
  if (output.format === 'json') {
    return ({ cluster, name }, { at, stream, text }) => {
      output.print(JSON.stringify({ cluster, node: name, at, stream, line: text }));
    };
  }
  const render = logRenderer(ahead, { paint: painter(output.colour), timestamps });
  return (writer, line) => {
    output.print(render(writer, line));
  };
}

async function printPast(
  engine: OperatorEngine,
  servers: readonly Server[],
  options: Pick<LogOptions, 'since' | 'tail'>,
  print: Print,
  signal: AbortSignal,
): Promise<void> {
  const opened = await Promise.all(
    servers.map(async (writer) => ({
      writer,
      lines: await engine.streamLogs(writer.container.id, { ...options, follow: false }, signal),
    })),
  );
  for await (const { writer, line } of mergeLogs(opened)) print(writer, line);
}
