import type { RequestHead } from './http.ts';

/** `exec` is creating, starting or resizing an exec: whether it changes anything only its command knows. */
export type CallKind = 'read' | 'mutating' | 'exec';

/** One request to the engine, filled in as it proceeds. */
export type Call = {
  /** Position among all calls since the last reset, in order of arrival. */
  readonly index: number;
  readonly method: string;
  /** Decoded, without the version prefix: `/containers/create`. */
  readonly path: string;
  /** API version of the prefix, e.g. `1.41`; undefined: none was given. */
  readonly version: string | undefined;
  readonly query: Readonly<Record<string, string>>;
  readonly kind: CallKind;
  /** Whether it changes the engine's state by itself; never for `exec`. */
  readonly mutating: boolean;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** When the last byte of the reply had come from the engine. */
  readonly endedAt: number | undefined;
  /** Whether the engine received it. */
  readonly forwarded: boolean;
  /** The engine's answer, or that of a `refuse` rule; undefined until there is one. */
  readonly status: number | undefined;
  /** Parsed body of a JSON request. */
  readonly body: unknown;
};

/** The recorder's own view of a call. */
export type OpenCall = { -readonly [Key in keyof Call]: Call[Key] };

const READS: readonly RegExp[] = [
  /^\/auth$/,
  /^\/session$/,
  /^\/containers\/[^/]+\/(?:wait|attach|attach\/ws|resize)$/,
];

const EXECS: readonly RegExp[] = [/^\/containers\/[^/]+\/exec$/, /^\/exec\/[^/]+\/(?:start|resize)$/];

const HIJACKED: readonly RegExp[] = [/^\/containers\/[^/]+\/attach$/, /^\/exec\/[^/]+\/start$/];

const ENDLESS: readonly RegExp[] = [/^\/events$/, /^\/containers\/[^/]+\/(?:logs|stats)$/];

const matches = (patterns: readonly RegExp[], path: string): boolean => patterns.some((one) => one.test(path));

/** What a call does to the engine, by https://docs.docker.com/reference/api/engine/version/v1.41/. */
export function classify(method: string, path: string): CallKind {
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return 'read';
  if (method !== 'POST') return 'mutating';
  if (matches(EXECS, path)) return 'exec';
  return matches(READS, path) ? 'read' : 'mutating';
}

/** Whether the engine takes the connection over and speaks no more HTTP on it, with or without `Upgrade`. */
export function isHijacked(call: Pick<Call, 'method' | 'path'>): boolean {
  return call.method === 'POST' && matches(HIJACKED, call.path);
}

/** Whether the reply may go on for ever, so that only its head can be waited for. */
export function isEndless(call: Pick<Call, 'method' | 'path'>): boolean {
  return call.method === 'GET' && matches(ENDLESS, call.path);
}

export function openCall(head: RequestHead, index: number): OpenCall {
  const url = new URL(head.target, 'http://engine');
  const [, version, bare = '/'] = /^(?:\/v(\d+\.\d+)(?=\/))?(.*)$/.exec(url.pathname) ?? [];
  const path = decodeURIComponent(bare);
  const kind = classify(head.method, path);
  return {
    index,
    method: head.method,
    path,
    version,
    query: Object.fromEntries(url.searchParams),
    kind,
    mutating: kind === 'mutating',
    startedAt: Date.now(),
    endedAt: undefined,
    forwarded: false,
    status: undefined,
    body: undefined,
  };
}
