import { canonicalJson, digest } from '../../base/canonical.ts';
import type { Blocked, Change, FieldChange, Plan, Verb } from '../../reconcile/plan.ts';
import type { Paint } from '../output.ts';

const symbols: Readonly<Record<string, string>> = {
  create: '+',
  update: '~',
  restart: '~',
  start: '~',
  promote: '^',
  delete: '-',
  'delete+create': '-/+',
};

const legend: readonly (readonly [string, string])[] = [
  ['+', 'create'],
  ['~', 'change in place'],
  ['^', 'have another one lead'],
  ['-/+', 'make anew, data kept'],
  ['-', 'remove'],
  ['!', 'blocked'],
];

/** What a change does, in words. */
const words: Readonly<Record<string, string>> = {
  create: 'will be created',
  update: 'will be changed in place',
  restart: 'will be restarted',
  start: 'will be started',
  promote: 'will be promoted',
  delete: 'will be removed',
  'delete+create': 'will be made anew',
};

/** A plan as text, in the manner of Terraform. */
export function renderPlan(plan: Plan, paint: Paint, heading = 'is not as its file says'): string {
  if (plan.changes.length === 0 && plan.blocked.length === 0) {
    return `${plan.cluster}: nothing to do, everything is as the file says.`;
  }
  const used = new Set([...plan.changes.map(symbolOf), ...(plan.blocked.length > 0 ? ['!'] : [])]);
  const key = legend
    .filter(([symbol]) => used.has(symbol))
    .map(([symbol, meaning]) => `  ${paintSymbol(symbol, paint)} ${meaning}`);
  const parts = [
    `${paint('bold', plan.cluster)} ${heading}:\n${key.join('\n')}`,
    ...plan.changes.map((change) => renderChange(change, paint)),
    ...plan.blocked.map((blocked) => renderBlocked(blocked, paint)),
    ...(plan.open ?? []).map(({ resource, why }) => `${paint('yellow', '?')} ${paint('bold', resource)}: ${why}`),
    `${paint('bold', 'Plan:')} ${renderSummary(plan)}`,
  ];
  return parts.join('\n\n');
}

/** A plan as JSON, of the format this page of the README describes. */
export function planToJson(plan: Plan): Record<string, unknown> {
  const changes = plan.changes.map(({ resource, kind, actions, reason, fields }) => ({
    resource,
    kind,
    actions,
    reason,
    fields: fields.map(({ path, before, after, effect }) => ({
      path,
      before: before ?? null,
      after: after ?? null,
      effect,
    })),
  }));
  return {
    format_version: 1,
    cluster: plan.cluster,
    fingerprint: digest(
      canonicalJson(JSON.parse(JSON.stringify([changes, plan.blocked])) as Parameters<typeof canonicalJson>[0]),
    ),
    changes,
    blocked: plan.blocked,
    open: plan.open ?? [],
    summary: summarise(plan),
  };
}

function renderChange(change: Change, paint: Paint): string {
  const symbol = symbolOf(change);
  const verb = words[change.actions.join('+')] ?? 'will be changed';
  const what = change.kind === 'group' && verb === words['promote'] ? 'gets another leader' : verb;
  const head = `${paintSymbol(symbol, paint)} ${paint('bold', change.resource)} ${what}: ${change.reason.detail}`;
  const width = Math.max(0, ...change.fields.map(({ path }) => path.length));
  return [head, ...change.fields.map((field) => `    ${renderField(field, width, change.actions)}`)].join('\n');
}

function renderField({ path, before, after, effect }: FieldChange, width: number, actions: readonly Verb[]): string {
  const name = path.padEnd(width);
  if (actions.length === 1 && actions[0] === 'create') return `${name} = ${after ?? '(none)'}`;
  return `${name}   ${before ?? '(none)'} -> ${after ?? '(none)'}   (${effect})`;
}

function renderBlocked({ resource, reason, remedy }: Blocked, paint: Paint): string {
  return `${paintSymbol('!', paint)} ${paint('bold', resource)} is blocked: ${reason.detail} [${reason.code}]\n    remedy: ${remedy}`;
}

type Summary = Readonly<
  Record<'create' | 'update' | 'restart' | 'promote' | 'recreate' | 'remove' | 'blocked' | 'unchanged', number>
>;

function summarise(plan: Plan): Summary {
  const count = (...verbs: readonly string[]): number =>
    plan.changes.filter(({ actions }) => verbs.includes(actions.join('+'))).length;
  const touched = new Set([...plan.changes, ...plan.blocked].map(({ resource }) => resource)).size;
  return {
    create: count('create'),
    update: count('update'),
    restart: count('restart', 'start'),
    promote: plan.changes.filter(({ kind, actions }) => kind === 'node' && actions.includes('promote')).length,
    recreate: count('delete+create'),
    remove: count('delete'),
    blocked: plan.blocked.length,
    // Of a group that is not known to its end, nobody knows.
    unchanged: plan.open === undefined ? Math.max(0, plan.wanted - touched + count('delete')) : 0,
  };
}

function renderSummary(plan: Plan): string {
  const { create, update, restart, promote, recreate, remove, blocked, unchanged } = summarise(plan);
  const parts = [
    `${String(create)} to create`,
    ...(update > 0 ? [`${String(update)} to change in place`] : []),
    `${String(restart)} to restart`,
    ...(promote > 0 ? [`${String(promote)} to promote`] : []),
    ...(recreate > 0 ? [`${String(recreate)} to make anew`] : []),
    `${String(remove)} to remove`,
    ...(blocked > 0 ? [`${String(blocked)} blocked`] : []),
  ];
  return `${parts.join(', ')}.${unchanged > 0 ? ` ${String(unchanged)} unchanged.` : ''}`;
}

function symbolOf({ actions }: Change): string {
  return symbols[actions.join('+')] ?? '~';
}

function paintSymbol(symbol: string, paint: Paint): string {
  if (symbol === '+') return paint('green', symbol);
  if (symbol === '-' || symbol === '!') return paint('red', symbol);
  return paint('yellow', symbol);
}
