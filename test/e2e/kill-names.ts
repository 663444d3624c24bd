import type { Call } from '../bench/proxy.ts';
import { docker } from './support/engine.ts';

/** An id of the engine in a path, as against a name. */
const ID = /\b[0-9a-f]{64}\b/;

/**
 * Tells the calls of one run apart by words that are the same in every run: method, path with names in the place of ids,
 * for an exec also the script it runs, and which of several like it a call is. `C` stands for the cluster's name.
 */
export class CallNames {
  readonly #cluster: string;
  /** Names by id, of containers and networks. */
  readonly #known = new Map<string, string>();
  readonly #named = new Map<Call, string>();
  readonly #counts = new Map<string, number>();
  /** Calls that made something with an id. */
  #created: Call[] = [];
  /** Execs that were made and not started yet, in the order in which the engine answered. */
  #execs: { readonly call: Call; readonly what: string }[] = [];

  constructor(cluster: string) {
    this.#cluster = cluster;
  }

  /** Begins a new run. */
  reset(): void {
    this.#named.clear();
    this.#counts.clear();
    this.#execs = [];
    this.#created = [];
  }

  /** Looks up what the cluster has, so that ids in later calls mean something. */
  async learn(): Promise<void> {
    const filter = ['--no-trunc', '--filter', `label=pgherd.cluster=${this.#cluster}`];
    const [containers, networks] = await Promise.all([
      docker('ps', '--all', ...filter, '--format', '{{.ID}} {{.Names}}'),
      docker('network', 'ls', ...filter, '--format', '{{.ID}} {{.Name}}'),
    ]);
    for (const line of `${containers}\n${networks}`.split('\n')) {
      const [id = '', name = ''] = line.split(' ');
      if (id !== '') this.#known.set(id, name);
    }
  }

  /** Whether a read comes after something was made whose id nobody has looked up yet: the time for `learn`. */
  isTimeToLearn(call: Call): boolean {
    if (this.of(call) !== undefined || this.#created.every(({ endedAt }) => endedAt === undefined)) return false;
    this.#created = this.#created.filter(({ endedAt }) => endedAt === undefined);
    return true;
  }

  /** The name of a call that changes something; undefined for one that reads. Calls must come in their order. */
  of(call: Call): string | undefined {
    if (!isStriking(call)) return undefined;
    const known = this.#named.get(call);
    if (known !== undefined) return known;
    const what = this.#describe(call);
    if (call.path.endsWith('s/create')) this.#created.push(call);
    const count = (this.#counts.get(what) ?? 0) + 1;
    this.#counts.set(what, count);
    const name = count === 1 ? what : `${what} (${String(count)})`;
    this.#named.set(call, name);
    return name;
  }

  #describe(call: Call): string {
    const exec = /^\/exec\/[0-9a-f]+\/start$/.test(call.path);
    if (exec) return `start exec ${this.#takeExec()}`;
    const subject = call.query['name'] ?? bodyName(call.body) ?? '';
    const path = this.#readable(`${call.path}${subject === '' ? '' : ` ${subject}`}`);
    if (!call.path.endsWith('/exec')) return `${call.method} ${path}${this.#connected(call.body)}`;
    const what = `${path.split('/')[2] ?? ''} ${scriptOf(call.body)}`;
    this.#execs.push({ call, what });
    return `make exec ${what}`;
  }

  // Who connects, from the body of a call on a network.
  #connected(body: unknown): string {
    const container = member(body, 'Container');
    return typeof container === 'string' ? ` ${this.#readable(container)}` : '';
  }

  #takeExec(): string {
    const answered = this.#execs.filter(({ call }) => call.endedAt !== undefined);
    const first = answered.toSorted((a, b) => (a.call.endedAt ?? 0) - (b.call.endedAt ?? 0))[0] ?? this.#execs[0];
    this.#execs = this.#execs.filter((one) => one !== first);
    return first?.what ?? '?';
  }

  #readable(text: string): string {
    const named = text.replace(ID, (id) => this.#known.get(id) ?? `pgherd-lock-${this.#cluster}`);
    return named.replaceAll(this.#cluster, 'C');
  }
}

/** What a controller can be struck at: whatever changes something, execs, and holding the lock's input open. */
function isStriking({ kind, method, path }: Call): boolean {
  return kind !== 'read' || (method === 'POST' && /^\/containers\/[^/]+\/attach$/.test(path));
}

function bodyName(body: unknown): string | undefined {
  const name = member(body, 'Name');
  return typeof name === 'string' ? name : undefined;
}

/** The script an exec runs: the last word of its command that looks like a path or a program. */
function scriptOf(body: unknown): string {
  const command = member(body, 'Cmd');
  const all = Array.isArray(command) ? command.map(String) : [];
  // Settings of its environment come first: `env NAME=VALUE …`.
  const words = all[0] === 'env' ? all.slice(all.findIndex((word, index) => index > 0 && !word.includes('='))) : all;
  const script = words[0] === 'sh' && words[1] === '-c' ? words[3] : words[0] === 'sh' ? words[1] : words[0];
  return script?.split('/').at(-1) ?? '?';
}

function member(value: unknown, name: string): unknown {
  if (value === null || typeof value !== 'object') return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}
