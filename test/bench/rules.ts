import type { Call } from './calls.ts';

/** Which call a rule hits: one a predicate picks (its body is known), or the i-th mutating one since the reset. */
export type Trigger =
  | { readonly when: (call: Call) => boolean }
  /** Counted from 0; execs count only with `exec`. */
  | { readonly at: number; readonly exec?: boolean };

export type Act =
  /**
   * kill-before: the request never reaches the engine; the connection is cut after `onHit`.
   * kill-after: the engine has answered (of a hijacked or endless reply the head), the reply is not delivered, the
   * connection is cut after `onHit`. drop-reply: the same, as a name for tests in which the client lives on.
   */
  | { readonly act: 'kill-before' | 'kill-after' | 'drop-reply' }
  /** The request is held for so many milliseconds, or as long as `onHit` takes if that is longer. */
  | { readonly act: 'delay'; readonly ms: number }
  /** Answered in the engine's place. */
  | { readonly act: 'refuse'; readonly status: number; readonly message: string };

export type Rule = Trigger &
  Act & {
    /** Called before the connection is cut, the delay ends or the refusal is sent, e.g. to kill the controller. */
    readonly onHit?: (call: Call) => unknown;
    /** How often it hits at most; once unless given. */
    readonly times?: number;
  };

export type Injection = {
  /** Settles with the first call it hit, after `onHit`. */
  readonly hit: Promise<Call>;
  readonly hits: () => number;
  readonly remove: () => void;
};

export type ActiveRule = { readonly rule: Rule; readonly fire: (call: Call) => Promise<void> };

type Entry = ActiveRule & { left: number };

/** The rules in force; each call takes the first that wants it. */
export class Rules {
  #entries: Entry[] = [];

  add(rule: Rule): Injection {
    let hits = 0;
    let resolve: (call: Call) => void = () => undefined;
    const hit = new Promise<Call>((done) => (resolve = done));
    const fire = async (call: Call): Promise<void> => {
      hits += 1;
      await rule.onHit?.(call);
      resolve(call);
    };
    const entry: Entry = { rule, fire, left: rule.times ?? 1 };
    this.#entries.push(entry);
    return { hit, hits: () => hits, remove: () => (this.#entries = this.#entries.filter((one) => one !== entry)) };
  }

  clear(): void {
    this.#entries = [];
  }

  /** Uses up one hit of the rule it gives. */
  claim(call: Call, calls: readonly Call[]): ActiveRule | undefined {
    const entry = this.#entries.find((one) => one.left > 0 && triggers(one.rule, call, calls));
    if (entry !== undefined) entry.left -= 1;
    return entry;
  }
}

function triggers(rule: Rule, call: Call, calls: readonly Call[]): boolean {
  if ('when' in rule) return rule.when(call);
  const counts = (one: Call): boolean => one.mutating || (rule.exec === true && one.kind === 'exec');
  return counts(call) && calls.filter((one) => one.index < call.index && counts(one)).length === rule.at;
}
