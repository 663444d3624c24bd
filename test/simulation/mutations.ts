/** A mend taken out: texts that are replaced, each of which occurs once. */
export type Mutation = {
  readonly name: string;
  /** In which mode it is looked for; absent: in all. */
  readonly mode?: 'async' | 'required' | 'preferred';
  /** The name of a fault that brings it about: it is to happen in most seeds. */
  readonly with?: string;
  /** Words of what is to be found, a regular expression. */
  readonly finds: string;
  readonly changes: readonly { readonly file: string; readonly find: string; readonly replace: string }[];
};

/** Somebody's data is gone, or will be. */
const harm = 'lost|kept nowhere|two writers|still runs';

const decision = 'src/reconcile/leadership.ts';
const actions = 'src/reconcile/kinds/leadership-actions.ts';

export const mutations: readonly Mutation[] = [
  {
    name: 'epochs-not-guarded',
    finds: harm,
    with: 'daemon suspended, lock lost',
    changes: [
      {
        file: 'test/simulation/process.ts',
        find: 'if (epoch > (this.#epoch ?? epoch)) throw',
        replace: 'if (epoch < 0) throw',
      },
      {
        file: 'test/simulation/scripts.ts',
        find: 'if (process.newest?.leader !== Number(number)) throw',
        replace: 'if (number === "none") throw',
      },
    ],
  },
  {
    name: 'anybody-may-start-as-leader',
    finds: harm,
    with: 'node started',
    changes: [
      {
        file: 'test/simulation/start.ts',
        find: 'if (!database.isStandby && process.newest?.leader !== Number(number)) {',
        replace: 'if (!database.isStandby && number === "none") {',
      },
      {
        file: 'test/simulation/start.ts',
        find: "if (process.link('serves')?.startsWith('fenced') === true)",
        replace: "if (process.link('serves')?.startsWith('none') === true)",
      },
    ],
  },
  {
    name: 'quorum-counted-too-low',
    finds: harm,
    mode: 'required',
    with: 'node hangs',
    changes: [
      {
        file: decision,
        find: 'if (listed.length > 0 && read + num > listed.length) return undefined;',
        replace: 'if (listed.length > 0 && read > 0) return undefined;',
      },
    ],
  },
  {
    name: 'least-advanced-promoted',
    finds: harm,
    mode: 'required',
    with: 'lag',
    changes: [
      {
        file: decision,
        find: 'return two[0] - one[0] || two[1] - one[1] || a.slot - b.slot;',
        replace: 'return one[0] - two[0] || one[1] - two[1] || a.slot - b.slot;',
      },
      {
        file: decision,
        find: 'const ahead = others.find(({ detached }) =>',
        replace: 'const ahead = [].find(({ detached }: Member) =>',
      },
    ],
  },
  {
    name: 'old-leader-not-fenced',
    finds: harm,
    with: 'node started',
    changes: [
      {
        file: actions,
        find: 'await mark(action, undefined, context);',
        replace: '',
      },
    ],
  },
  {
    name: 'commits-not-held-after-promotion',
    finds: harm,
    mode: 'required',
    changes: [
      {
        file: 'src/reconcile/kinds/succession.ts',
        find: 'if (equals.length >= num) return { num, listed: equals.map(({ slot }) => slot) };',
        replace:
          'if (equals.length >= 0) return { num, listed: context.group.nodes.map(({ slot }) => slot).filter((slot) => slot !== decision.to) };',
      },
    ],
  },
  {
    name: 'diverged-rows-erased',
    finds: harm,
    mode: 'async',
    changes: [
      {
        file: 'test/simulation/start.ts',
        find: 'if (kept > 0 && !isUnacknowledged) {',
        replace: 'if (kept < 0 && !isUnacknowledged) {',
      },
    ],
  },
  {
    name: 'detach-reports-too-early',
    finds: harm,
    mode: 'required',
    with: 'leader hangs',
    changes: [
      {
        file: 'test/simulation/scripts.ts',
        find: 'while (server.receiver !== undefined || !server.seemsDone) {',
        replace: 'while (server.receiver !== undefined) {',
      },
    ],
  },
];
