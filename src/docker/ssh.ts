import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { Agent, type ClientRequestArgs } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { PgherdError } from '../base/error.ts';

/** Where the engine listens on its host, unless the path of the URL says otherwise. */
const usualSocket = '/var/run/docker.sock';

/** What the other side says once it lets us in; rc files of a shell may say something before. */
const greeting = 'pgherd-is-here';

/** Ends with its standard input, which ends with this process however that ends, and with it all else. */
const remoteCommand = `echo ${greeting}; exec cat >/dev/null`;

/** What is kept of what ssh says. */
const mostSaid = 4096;

/** Milliseconds: how long ssh may take to say why, and how often it is looked whether it has. */
const longestTold = 1000;
const told = 20;

/** By URL: all connections of this process to one engine go through one. */
const tunnels = new Map<string, Tunnel>();

/** An agent whose connections go to the engine behind an `ssh://[user@]host[:port][/socket]`, by the system's ssh. */
export function sshAgent(url: URL): Agent {
  const tunnel = tunnels.get(url.href) ?? new Tunnel(url);
  tunnels.set(url.href, tunnel);
  return new SshAgent(tunnel);
}

/** Why the engine behind an `ssh://` closed a connection without a word; undefined: ssh does not know. */
export async function explainRefusal(url: URL): Promise<PgherdError | undefined> {
  return tunnels.get(url.href)?.refusal();
}

class SshAgent extends Agent {
  readonly #tunnel: Tunnel;

  constructor(tunnel: Tunnel) {
    super({ keepAlive: true });
    this.#tunnel = tunnel;
  }

  override createConnection(
    _options: ClientRequestArgs,
    callback: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    // With an error there is no socket, which the type does not know.
    const fail = callback as (error: unknown) => void;
    this.#tunnel.open().then((path) => {
      callback(null, connect(path));
    }, fail);
  }
}

/**
 * One ssh process that forwards a local socket to the engine's: as many connections as are asked for, with the keys,
 * known hosts and settings of the user, who is asked nothing. It is started again when it has ended.
 */
class Tunnel {
  readonly #url: URL;
  #path: Promise<string> | undefined;
  #said = '';

  constructor(url: URL) {
    this.#url = url;
  }

  /** The local socket. Throws `engine-unreachable` with what ssh said. */
  async open(): Promise<string> {
    if (this.#path !== undefined) return this.#path;
    const path = this.#start(() => {
      if (this.#path === path) this.#path = undefined;
    });
    this.#path = path;
    return path;
  }

  /** Why a connection was closed at once: ssh tells when the other side has no such socket, or refuses it. */
  async refusal(): Promise<PgherdError | undefined> {
    for (let waited = 0; !this.#said.includes('open failed') && waited < longestTold; waited += told) await sleep(told);
    return this.#said.includes('open failed') ? this.#explain() : undefined;
  }

  async #start(onEnd: () => void): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'pgherd-ssh-'));
    const path = join(directory, 'docker.sock');
    this.#said = '';
    // In a session of its own, so that Ctrl-C is pgherd's alone: it has steps to finish.
    const child = spawn('ssh', this.#arguments(path), { detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    const tidy = (): void => {
      child.kill();
      rmSync(directory, { recursive: true, force: true });
    };
    process.once('exit', tidy);
    child.once('close', () => {
      process.off('exit', tidy);
      tidy();
      onEnd();
    });
    await this.#untilReady(child);
    return path;
  }

  #untilReady(child: ChildProcess): Promise<void> {
    let greeted = '';
    return new Promise((resolve, reject) => {
      child.stdout?.on('data', (data: Buffer) => {
        greeted = (greeted + data.toString()).slice(-mostSaid);
        if (greeted.includes(greeting)) resolve();
      });
      child.stderr?.on('data', (data: Buffer) => {
        this.#said = (this.#said + data.toString()).slice(-mostSaid);
      });
      child.stdin?.on('error', () => undefined);
      child.once('error', (error) => {
        this.#said = `ssh cannot be run: ${error.message}`;
        reject(this.#explain());
      });
      child.once('close', () => {
        reject(this.#explain());
      });
    });
  }

  // https://man.openbsd.org/ssh and ssh_config
  #arguments(path: string): readonly string[] {
    const { hostname, port, username, pathname } = this.#url;
    const remote = pathname.length > 1 ? decodeURIComponent(pathname) : usualSocket;
    const options = {
      BatchMode: 'yes',
      ConnectTimeout: '10',
      ControlMaster: 'no',
      ControlPath: 'none',
      ExitOnForwardFailure: 'yes',
      RemoteCommand: 'none',
      ServerAliveCountMax: '3',
      ServerAliveInterval: '10',
    };
    return [
      '-T',
      ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
      ...(username === '' ? [] : ['-l', decodeURIComponent(username)]),
      ...(port === '' ? [] : ['-p', port]),
      '-L',
      `${path}:${remote}`,
      '--',
      hostname.replace(/^\[|\]$/g, ''),
      remoteCommand,
    ];
  }

  #explain(): PgherdError {
    const lines = this.#said
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('Warning:'));
    const said = lines.slice(-2).join('; ') || 'ssh ended';
    const { hostname, port, username } = this.#url;
    const target = `${port === '' ? '' : `-p ${port} `}${username === '' ? '' : `${username}@`}${hostname}`;
    return new PgherdError('engine-unreachable', `no Docker engine answers at ${this.#url.href} (${said})`, {
      remedy: `see that \`ssh ${target} docker version\` works without asking for anything`,
      retry: true,
    });
  }
}
