import type { Writable } from 'node:stream';
import type { Engine } from './engine.ts';
import type { Piece } from './frames.ts';

/** A command with standard input, for a person or a pipe. */
export type ConsoleCommand = {
  readonly command: readonly string[];
  readonly user?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** It gets a terminal instead of three streams: all it writes is then standard output. */
  readonly terminal?: boolean;
};

/** A command under way. Closing the connection does not end it: an exec outlives its client. */
export type Console = {
  /** To be ended; ending it closes the command's standard input where that is no terminal. */
  readonly input: Writable;
  /** What it writes, until it ends or the connection does; to be read once. Slow readers slow the command down. */
  readonly output: AsyncIterable<Piece>;
  /** Tells its terminal how large it is; a command that has ended is told nothing. */
  readonly resize: (columns: number, rows: number) => Promise<void>;
  /** Once the output has ended; fails where the command still runs, that is where the connection was cut. */
  readonly exitCode: () => Promise<number>;
  readonly close: () => void;
};

/** A line that a container wrote. */
export type LogLine = {
  /** RFC 3339 in UTC with nine digits of a second, so that these compare as text; by the engine's clock. */
  readonly at: string;
  readonly stream: 'stdout' | 'stderr';
  /** Without what ends it. */
  readonly text: string;
};

export type LogOptions = {
  /** Goes on with what comes, until the container ends. */
  readonly follow: boolean;
  /** Seconds since the epoch, with up to nine digits behind the point; that moment included. */
  readonly since?: string;
  /** The last so many lines of what is there. */
  readonly tail?: number;
};

/** What commands for people ask of an engine, beside what keeps clusters. */
export type OperatorCalls = {
  /** The deadline is for the start; the signal closes the connection at any time. */
  readonly openConsole: (ref: string, command: ConsoleCommand, signal: AbortSignal) => Promise<Console>;
  /** Ends when the signal aborts; fails where the connection is cut. */
  readonly streamLogs: (ref: string, options: LogOptions, signal: AbortSignal) => Promise<AsyncIterable<LogLine>>;
  /** Bytes by volume; the engine reads every file for it. Those that it could not measure are left out. */
  readonly measureVolumes: () => Promise<ReadonlyMap<string, number>>;
};

export type OperatorEngine = Engine & OperatorCalls;
