/** A safeguard taken out: texts that are replaced, each of which occurs once. */
export type Mutation = {
  readonly name: string;
  /** The finding that the safeguard is the answer to, by its number in the review of leadership. */
  readonly finding?: string;
  /** In which mode it is looked for; absent: in all. */
  readonly mode?: 'async' | 'required' | 'preferred';
  /** The name of a fault that brings it about, or of some: they are to happen in most seeds. */
  readonly with?: string;
  /** Words of the violation to be found, a regular expression. */
  readonly finds: string;
  readonly changes: readonly { readonly file: string; readonly find: string; readonly replace: string }[];
};

/** Data is gone, or will be. */
const harm = 'acknowledged and lost|kept nowhere|are erased|two writers|still runs|on no replica';

/** Nobody serves, or the group does not come to what its file says, and nothing is said about it. */
const standstill = 'nobody serves|standstill';

const decision = 'src/reconcile/leadership.ts';
const actions = 'src/reconcile/kinds/leadership-actions.ts';
const requests = 'src/reconcile/requests.ts';
const revisions = 'src/reconcile/kinds/revisions.ts';
const scripts = 'test/simulation/scripts.ts';
const start = 'test/simulation/start.ts';

export const mutations: readonly Mutation[] = [
  {
    name: 'pause-writes-the-record',
    finding: 'F1',
    finds: `${harm}|${standstill}|nobody promoted`,
    with: 'pause + leader killed',
    changes: [
      {
        file: requests,
        find: "await writeLink(engine, nodes, 'pause', formatPause({ isPaused, at: later(newest?.at), by }));",
        replace: `const found = newestRecord(nodes);
  if (found !== undefined) {
    const { formatRecordName } = await import('../postgres/layout.ts');
    const { parseRecord, recordEntries } = await import('../postgres/record.ts');
    const at = \`\${found.node.layout.home}/records/\${formatRecordName(found.record)}\`;
    const files = await engine.readArchive(found.node.container.id, at);
    const record = parseRecord([...(files?.values() ?? [])][0] ?? '');
    if (record === undefined) return false;
    const entries = recordEntries({ ...record, version: record.version + 2 });
    const { Owners } = await import('./kinds/node-folder.ts');
    const owners = new Owners();
    await Promise.allSettled(
      nodes.map((node) => writeFolder(placed(node), node.container.image, { engine, owners }, entries)),
    );
  }
  await writeLink(engine, nodes, 'pause', formatPause({ isPaused, at: later(newest?.at), by }));`,
      },
    ],
  },
  {
    name: 'detached-replica-not-attached-again',
    finding: 'F2',
    finds: standstill,
    mode: 'required',
    with: 'node hangs',
    changes: [
      {
        file: revisions,
        find: 'const isCutOff = facts.detached !== undefined && isInService(context, view.leader);',
        replace: 'const isCutOff = false;',
      },
    ],
  },
  {
    name: 'detach-waits-for-readers',
    finding: 'F3',
    finds: standstill,
    with: 'report + port taken',
    changes: [
      {
        file: scripts,
        find: '      server.endReaders();\n    }',
        replace: '    }',
      },
    ],
  },
  {
    name: 'detach-reports-too-early',
    finding: 'F4',
    finds: harm,
    mode: 'required',
    with: 'leader hangs + replay is slow + lag',
    changes: [{ file: scripts, find: 'const isFinal = server.isReplayed;', replace: 'const isFinal = true;' }],
  },
  {
    name: 'fence-lifted-before-the-role-is-written',
    finding: 'F5',
    finds: harm,
    with: 'daemon dies',
    changes: [
      {
        file: revisions,
        find: 'atStart: !isRunning || isFenced || (!loads && !promotes),',
        replace: 'atStart: isFenced ? false : !isRunning || (!loads && !promotes),',
      },
      {
        file: start,
        find: 'if (!database.isStandby && process.newest?.leader !== Number(number)) {',
        replace: 'if (!database.isStandby && number === "none") {',
      },
    ],
  },
  {
    name: 'second-writer-not-seen',
    finding: 'F6',
    finds: `${harm}|standstill`,
    with: 'promoted by hand',
    changes: [
      {
        file: 'src/reconcile/writers.ts',
        find: 'if (!takesWrites) return false;',
        replace: 'if (takesWrites || !takesWrites) return false;',
      },
    ],
  },
  {
    name: 'every-container-must-be-there',
    finding: 'F7',
    finds: standstill,
    with: 'name taken',
    changes: [
      {
        file: 'src/reconcile/group.ts',
        find: 'if (source === undefined || !isReadEnough(source.record, nodes)) return',
        replace: 'if (source === undefined || source !== undefined) return',
      },
    ],
  },
  {
    name: 'leader-never-started-is-not-lost',
    finding: 'F8',
    finds: standstill,
    with: 'port taken',
    changes: [
      {
        file: 'src/reconcile/leader-watch.ts',
        find: "if (facts.state.is !== 'data') return 'unknown';",
        replace: "if (facts.state.is !== 'data' || container.startedAt === 0) return 'unknown';",
      },
    ],
  },
  {
    name: 'promotion-without-an-end-is-not-lost',
    finding: 'F9',
    finds: standstill,
    with: 'successor hangs',
    changes: [
      {
        file: 'src/reconcile/leader-watch.ts',
        find: "if (container.state !== 'running' || facts.serves === 'follow' || facts.serves === 'promoting') return 'lost';",
        replace: `if (facts.serves === 'follow' || facts.serves === 'promoting') return 'unknown';
  if (container.state !== 'running') return 'lost';`,
      },
      { file: actions, find: 'const promoteSeconds = 15;', replace: 'const promoteSeconds = 150;' },
    ],
  },
  {
    name: 'detach-waits-for-a-hung-replica',
    finding: 'F10',
    finds: standstill,
    with: 'node hangs',
    changes: [
      {
        file: 'src/reconcile/kinds/leadership.ts',
        find: 'return snapshot.silent.has(container.id) ? silentSeconds : shortSeconds;',
        replace: 'return 150;',
      },
    ],
  },
  {
    name: 'catching-up-is-asked-through-a-common-connection',
    finding: 'F11',
    finds: 'could take over',
    mode: 'required',
    with: 'connections used up + lag',
    changes: [
      {
        file: scripts,
        find: "const [seconds = '', num = '', meanwhile = '', ...names] = args;\n  const server = await process.connect('superuser');",
        replace:
          "const [seconds = '', num = '', meanwhile = '', ...names] = args;\n  const server = await process.connect('monitor');",
      },
    ],
  },
  {
    name: 'commits-wait-for-whoever-runs',
    finding: 'F12',
    finds: standstill,
    mode: 'preferred',
    with: 'replicas hang',
    changes: [
      {
        file: 'src/reconcile/kinds/commits.ts',
        find: "return streaming.length + returning.length >= num ? { is: undefined, recheck } : { is: 'local' };",
        replace: `const up = followers.filter(({ slot }) => findNode(context, slot)?.container.state === 'running');
  return up.length >= num ? { is: undefined, recheck } : { is: 'local' };`,
      },
    ],
  },
  {
    name: 'all-listed-must-have-caught-up',
    finding: 'F13',
    finds: standstill,
    mode: 'required',
    with: 'lag',
    changes: [
      {
        file: 'src/reconcile/kinds/commit-steps.ts',
        find: "const action = { do: 'await-caught-up', node: placed(view.leader), num, names, meanwhile, seconds } as const;",
        replace:
          "const action = { do: 'await-caught-up', node: placed(view.leader), num: names.length, names, meanwhile, seconds: 120 } as const;",
      },
    ],
  },
  {
    name: 'forced-failover-marks-nothing',
    finding: 'F15',
    finds: harm,
    mode: 'required',
    with: 'only one is left, behind',
    changes: [
      {
        file: decision,
        find: "const isMarked = old.isFenced && (!isLossy || old.fencedFor === 'forced');",
        replace: 'const isMarked = old.isFenced;',
      },
      {
        file: 'src/reconcile/kinds/leadership.ts',
        find: "if (isForced(context, view)) return 'forced';",
        replace: '',
      },
    ],
  },
  {
    name: 'second-writer-ended-while-nobody-leads',
    finding: 'F16',
    finds: 'only copy|kept nowhere',
    mode: 'async',
    with: 'leader broken',
    changes: [
      {
        file: 'src/reconcile/kinds/node.ts',
        find: 'if (!isServing(view.leader, snapshot)) return {};',
        replace: '',
      },
      {
        file: 'src/reconcile/kinds/group.ts',
        find: "decision?.is === 'kept' && decision.blocked?.code === 'second-writer';",
        replace: "decision?.is === 'kept' && decision.blocked?.code === 'none';",
      },
    ],
  },
  {
    name: 'base-backup-counts-as-a-replica',
    finding: 'F18',
    finds: harm,
    mode: 'required',
    with: 'data of a replica lost + lag',
    changes: [
      {
        file: start,
        find: "const name = 'pgherd_clone';",
        replace: "const name = /application_name=(\\S+)/.exec(process.read('conninfo'))?.[1] ?? '';",
      },
    ],
  },
  {
    name: 'same-timeline-number-taken-for-the-same-timeline',
    finding: 'F19',
    finds: `${harm}|standstill`,
    with: 'only one is left, behind',
    changes: [
      {
        file: 'src/reconcile/reports.ts',
        find: 'if (followedAnother(leader, follower)) {',
        replace: 'if (leader.recovery && followedAnother(leader, follower)) {',
      },
    ],
  },
  {
    name: 'marked-leader-that-leads-on-is-left-alone',
    finding: 'F20',
    finds: standstill,
    mode: 'preferred',
    with: 'switchover cut off + replicas hang',
    changes: [
      {
        file: 'src/reconcile/kinds/commits.ts',
        find: 'if (leader === undefined || leader.recovery) return { is: undefined };',
        replace: "if (leader === undefined || view.leader.facts.serves !== 'lead') return { is: undefined };",
      },
      {
        file: revisions,
        find: "if (role.is === 'lead' && container.state === 'running') return 'lead';",
        replace: '',
      },
    ],
  },
  {
    name: 'half-copies-are-kept',
    finding: 'F21',
    finds: 'half copies',
    with: 'data of a replica lost + slow clone + leader killed',
    changes: [
      {
        file: 'src/reconcile/kinds/node.ts',
        find: 'const steps = isHalfClone(observed.facts.state)',
        replace: "const steps = observed.volume === ''",
      },
    ],
  },
  {
    name: 'epochs-not-guarded',
    finding: 'F22',
    finds: harm,
    with: 'promotion comes late',
    changes: [
      {
        file: 'test/simulation/process.ts',
        find: 'if (epoch > (this.#epoch ?? epoch)) throw',
        replace: 'if (epoch < 0) throw',
      },
      {
        file: scripts,
        find: 'if (process.newest?.leader !== Number(number)) throw',
        replace: 'if (number === "none") throw',
      },
    ],
  },
  {
    name: 'lost-answer-not-asked-for-again',
    finding: 'F23',
    finds: standstill,
    with: 'answer of a leader lost + leader hangs',
    changes: [
      {
        file: 'src/reconcile/leader-watch.ts',
        find: "states.some(({ state }) => state === 'unasked') ? [askAgain] : []",
        replace: '[]',
      },
    ],
  },
  {
    name: 'clone-follows-the-leader-of-its-beginning',
    finding: 'G8',
    finds: standstill,
    with: 'node removed',
    changes: [
      {
        file: start,
        find: "if (leaderOf(process.config) !== leaderOf(process)) throw new Renewed('the leader has changed');",
        replace: '',
      },
      { file: start, find: 'if (leaderOf(process.config) !== leads) {', replace: "if (leads === 'none') {" },
    ],
  },
  {
    name: 'shutdown-waits-for-the-archiver',
    finding: 'G11',
    finds: standstill,
    with: 'archiver hangs + switchover',
    changes: [{ file: scripts, find: 'while (still < 20) {', replace: 'while (still < 20 || still >= 20) {' }],
  },
  {
    name: 'sql-waits-for-a-leader-that-hangs',
    finds: standstill,
    mode: 'async',
    with: 'switchover + leader hangs',
    changes: [
      {
        file: 'src/reconcile/kinds/inside-node.ts',
        find: "...('input' in sql ? { input: sql.input } : {}),\n    signal: context.signal,",
        replace: "...('input' in sql ? { input: sql.input } : {}),",
      },
    ],
  },
  {
    name: 'leader-that-hung-is-restarted-again-at-once',
    finds: 'in a loop',
    with: 'leader hangs + replicas hang',
    changes: [
      {
        file: 'src/reconcile/leader-watch.ts',
        find: 'if (startsFor <= 0) hung.add(id);',
        replace: 'if (startsFor < Infinity) hung.add(id);',
      },
    ],
  },
  {
    name: 'named-successor-not-waited-for',
    finds: 'in a loop|nobody promoted',
    with: 'failover with loss + replay is slow',
    changes: [
      {
        file: decision,
        find: '(each.slot === asked?.to || !isKnownBehind(each, others)),',
        replace: '!isKnownBehind(each, others),',
      },
      {
        file: decision,
        find: '(isEnoughKnown && slot !== asked.to)',
        replace: 'isEnoughKnown',
      },
      // What was begun in vain for it is not begun again.
      { file: decision, find: 'isLossy && isBegun && old.hasData;', replace: 'isLossy && isBegun && old.slot < 0;' },
    ],
  },
  {
    name: 'leader-that-is-started-not-listened-to',
    finds: standstill,
    mode: 'required',
    with: 'leader hangs as it starts + node hangs',
    changes: [{ file: 'src/daemon/keeper.ts', find: 'this.#noteStart(action.container);', replace: '' }],
  },
  {
    name: 'detached-by-a-session-without-a-mark',
    finds: standstill,
    with: 'node killed',
    mode: 'required',
    changes: [{ file: scripts, find: "process.set('detached', own);", replace: '' }],
  },
  {
    name: 'anybody-may-start-as-leader',
    finds: harm,
    with: 'node started',
    changes: [
      {
        file: start,
        find: 'if (!database.isStandby && process.newest?.leader !== Number(number)) {',
        replace: 'if (!database.isStandby && number === "none") {',
      },
      {
        file: start,
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
    name: 'change-written-into-one-volume',
    finds: `${harm}|nobody promoted`,
    mode: 'async',
    with: 'leader crashes + node removed',
    changes: [
      {
        file: 'src/reconcile/kinds/succession.ts',
        find: '[leader, ...others].map(',
        replace: '[leader].map(',
      },
      // The promotion looks at the volumes again.
      {
        file: 'src/reconcile/kinds/group-record.ts',
        find: 'if (held * 2 > votes) return;',
        replace: 'if (held > 0) return;',
      },
    ],
  },
  {
    name: 'numbers-of-timelines-left-to-chance',
    finds: 'timeline of one number',
    changes: [
      {
        file: 'src/reconcile/kinds/group-record.ts',
        find: 'return Math.max(last, change.timeline) + 1;',
        replace: 'return change.timeline + 1;',
      },
    ],
  },
  {
    name: 'old-leader-not-fenced',
    finds: `${harm}|${standstill}`,
    with: 'node started',
    changes: [{ file: actions, find: 'await mark(action, undefined, context);', replace: '' }],
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
        file: start,
        find: 'if (kept > 0 && !isUnacknowledged) {',
        replace: 'if (kept < 0 && !isUnacknowledged) {',
      },
    ],
  },
  {
    name: 'hanging-wait-waited-for',
    finds: standstill,
    mode: 'preferred',
    with: 'leader killed + scripts fail',
    changes: [
      {
        file: 'src/reconcile/kinds/inside-node.ts',
        find: 'while (!isReady.signal.aborted && (await passes(pause, isOver.signal))) {',
        replace: 'while (isReady.signal.aborted) {',
      },
    ],
  },
  {
    name: 'loss-not-counted',
    finds: 'no failover said so',
    mode: 'async',
    changes: [
      { file: decision, find: 'if (isOutdated(situation, old)) return null;', replace: 'return 0;' },
      { file: decision, find: 'return Math.max(0, last.lsn - known.lsn);', replace: 'return 0;' },
    ],
  },
  {
    name: 'return-wakes-nobody',
    finds: standstill,
    mode: 'preferred',
    with: 'lag + leader killed + lag',
    changes: [
      { file: 'src/reconcile/server-news.ts', find: 'return isOther;', replace: "return isOther && urgent !== '';" },
    ],
  },
  {
    name: 'started-by-a-command-not-listened-to',
    finds: standstill,
    with: 'switchover + leader hangs as it starts + daemon dies',
    changes: [{ file: 'src/reconcile/reconcile.ts', find: 'this.#listenToStarted(outcome);', replace: '' }],
  },
  {
    name: 'late-link-believed',
    finds: standstill,
    mode: 'required',
    with: 'switchover + record comes late',
    changes: [
      {
        file: 'src/reconcile/observe.ts',
        find: 'if (last === undefined || compareRecords(last, facts.record) <= 0) return node;',
        replace: 'if (last !== undefined || files.length >= 0) return node;',
      },
    ],
  },
  {
    name: 'words-of-before-the-look',
    finds: 'the only copy that takes writes',
    mode: 'async',
    with: 'calls fail + leader broken',
    changes: [
      {
        file: 'src/reconcile/reconcile.ts',
        find: 'if (voices !== undefined) return () => voices();',
        replace: 'const said = voices?.();\n    if (said !== undefined) return () => said;',
      },
    ],
  },
  {
    name: 'started-by-others-not-listened-to',
    finds: standstill,
    mode: 'required',
    with: 'lag + node crashes',
    changes: [
      {
        file: 'src/daemon/keeper.ts',
        find: "if ((action === 'start' || action === 'unpause') && !this.#inHand.has(id)) this.#noteStart(id);",
        replace: '',
      },
    ],
  },
];
