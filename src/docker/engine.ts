import type { ArchiveEntry } from '../base/archive.ts';
import type { Container, ContainerSpec, ExecResult, Image, Network, Volume } from './types.ts';

/** The name or id of a container, network, volume or image. */
type Ref = string;

export type ExecCommand = {
  readonly command: readonly string[];
  readonly user?: string;
  /** Written to the command's standard input, which is then closed. */
  readonly input?: string;
  /** Milliseconds; the engine does not end the command when this passes, only the wait for it. */
  readonly deadline?: number;
  /** Calls off the wait. */
  readonly signal?: AbortSignal;
};

/** A command that runs until its standard input, which is held open, closes. */
export type StreamCommand = { readonly command: readonly string[]; readonly user?: string };

export type ExecStream = {
  /**
   * Of standard output; they end when the command does, or the connection. To be read once, and without pause: a
   * command whose output nobody takes stands still. The engine answers before it starts the command, and says here why
   * it could not.
   */
  readonly lines: AsyncIterable<string>;
  /** The last 2000 characters of standard error, of what came with the lines read so far. */
  readonly stderr: () => string;
  /** Closes standard input and the connection; also needed where the lines were not read to their end. */
  readonly close: () => void;
};

export type EventFilter = {
  readonly types: readonly ('container' | 'network' | 'volume')[];
  /**
   * `name` or `name=value`, of what the event is about. The engine tells labels of containers only, so that no event of
   * a network or a volume passes.
   */
  readonly label?: string;
  /** As in EngineEvent; all of them where none is given. */
  readonly actions?: readonly string[];
};

export type EngineEvent = {
  readonly type: string;
  /** Without what may follow it: `health_status` for `health_status: healthy`. */
  readonly action: string;
  /** A volume's name. */
  readonly id: string;
  /** Labels of a container among them, and the `container` that a network is connected to or disconnected from. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Epoch milliseconds, by the engine's clock. */
  readonly at: number;
};

/** An attached standard input; what reads it ends when it closes, also by the death of this process. */
export type Attachment = {
  /** What is written to a container that has ended is lost. */
  readonly write: (text: string) => void;
  readonly close: () => void;
  readonly closed: Promise<void>;
};

/**
 * What pgherd asks of a Docker engine. Every call has a deadline of its own, fails with a PgherdError, and takes
 * 'already so' (304, 404 on removal) for success; 'undefined' means that the engine answered and has no such thing.
 * Source: https://docs.docker.com/engine/api/v1.41/
 */
export type Engine = {
  readonly host: string;
  /**
   * Inspects of all containers that bear the labels, by name. `onInspected` is given each of them as soon as it is known: the
   * engine tells of one that ends just now when it has ended.
   */
  listContainers: (
    labels: Readonly<Record<string, string>>,
    onInspected?: (container: Container) => void,
  ) => Promise<readonly Container[]>;
  inspectContainer: (ref: Ref) => Promise<Container | undefined>;
  /** The container that publishes a port of the host, where a container does. */
  findPortHolder: (port: number) => Promise<string | undefined>;
  createContainer: (spec: ContainerSpec) => Promise<string>;
  startContainer: (ref: Ref) => Promise<void>;
  /** `seconds`: until the engine kills it. */
  stopContainer: (ref: Ref, seconds: number) => Promise<void>;
  unpauseContainer: (ref: Ref) => Promise<void>;
  killContainer: (ref: Ref, signal: 'SIGKILL' | 'SIGHUP') => Promise<void>;
  /** Never takes a volume with it; kills the container where it still runs. It is gone when this is done, whoever removed it. */
  removeContainer: (ref: Ref) => Promise<void>;
  updateContainer: (
    ref: Ref,
    limits: { readonly memory?: number; readonly cpus?: number; readonly restart?: Container['restart'] },
  ) => Promise<void>;
  /** The last lines a container wrote, both streams. */
  readLogs: (ref: Ref, lines: number) => Promise<string>;

  /** Networks that bear the labels; all of them where none is given. */
  listNetworks: (labels?: Readonly<Record<string, string>>) => Promise<readonly Network[]>;
  inspectNetwork: (ref: Ref) => Promise<Network | undefined>;
  createNetwork: (spec: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly internal: boolean;
    readonly subnet: string | undefined;
  }) => Promise<string>;
  removeNetwork: (ref: Ref) => Promise<void>;
  connectNetwork: (
    network: Ref,
    container: Ref,
    endpoint: { readonly address?: string; readonly aliases?: readonly string[] },
  ) => Promise<void>;
  /** One that is not connected is left as it is. */
  disconnectNetwork: (network: Ref, container: Ref) => Promise<void>;

  listVolumes: (labels: Readonly<Record<string, string>>) => Promise<readonly Volume[]>;
  inspectVolume: (name: string) => Promise<Volume | undefined>;
  /** Gives what stands under that name afterwards, which need not be what was asked for. */
  createVolume: (name: string, labels: Readonly<Record<string, string>>) => Promise<Volume>;
  removeVolume: (name: string) => Promise<void>;
  /** Names of the containers, running or not, that mount a volume, by its name; what nobody mounts is not in it. */
  listVolumeUsers: () => Promise<ReadonlyMap<string, readonly string[]>>;

  inspectImage: (ref: Ref) => Promise<Image | undefined>;
  pullImage: (ref: Ref) => Promise<void>;

  /** Where a path in a container links to, the container running or not; undefined: no such path, or no link. */
  readLink: (ref: Ref, path: string) => Promise<string | undefined>;
  /** Whether a path exists in a container, running or not; false also where there is no such container. */
  pathExists: (ref: Ref, path: string) => Promise<boolean>;
  /** The regular files under a path in a container; undefined: no such path. */
  readArchive: (ref: Ref, path: string) => Promise<ReadonlyMap<string, string> | undefined>;
  /** Unpacks entries into a folder that exists in a container, running or not. */
  writeArchive: (ref: Ref, folder: string, entries: readonly ArchiveEntry[], owner: number) => Promise<void>;
  exec: (ref: Ref, command: ExecCommand) => Promise<ExecResult>;
  /** The deadline is for the start; the signal closes the stream at any time. */
  execStream: (ref: Ref, command: StreamCommand, signal: AbortSignal) => Promise<ExecStream>;
  /** Attaches standard input, alone. */
  attachInput: (ref: Ref) => Promise<Attachment>;

  /**
   * Events from now on; those of the last seconds may come first. What happens once this has settled is not missed until
   * the iterable ends, as it does when the signal aborts, when the connection closes and when the engine stops; where
   * the connection breaks, it fails. The engine drops events that are not taken: read without pause.
   */
  watchEvents: (filter: EventFilter, signal: AbortSignal) => Promise<AsyncIterable<EngineEvent>>;
};
