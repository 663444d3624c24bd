import { isCancel, select, text } from '@clack/prompts';
import { findProblems, type Answers } from './answers.ts';

const questions: readonly (readonly [answer: Exclude<keyof Answers, 'mode'>, message: string])[] = [
  ['cluster', 'What is the cluster called?'],
  ['balancer', 'What is its balancer called?'],
  ['port', 'Which port of this host do clients connect to?'],
  ['replicas', 'How many replicas?'],
  ['image', 'Which image of PostgreSQL?'],
  ['database', 'Which database is created?'],
  ['subnet', 'Which subnet? (empty: the engine chooses a free one)'],
];

/**
 * Asks what is not known yet, each checked at once, on standard error: standard output is for results. Undefined where
 * the person called it off.
 */
export async function askQuestions(known: Partial<Answers>, defaults: Answers): Promise<Answers | undefined> {
  // A terminal that does not know its width, as at a serial line, would get a letter a line.
  for (const stream of [process.stderr, process.stdout]) if (stream.columns === 0) stream.columns = 80;
  let answers: Answers = { ...defaults, ...known };
  for (const [answer, message] of questions) {
    if (known[answer] !== undefined) continue;
    const proposed = answers[answer];
    const given = await text({
      message,
      placeholder: proposed,
      defaultValue: proposed,
      output: process.stderr,
      validate: (typed) => describeProblem({ ...answers, [answer]: readTyped(typed, proposed) }),
    });
    if (isCancel(given)) return undefined;
    answers = { ...answers, [answer]: readTyped(given, proposed) };
  }
  // Without a replica there is nobody to wait for.
  if (known.mode !== undefined || answers.replicas === '0') return answers;
  const mode = await select<Answers['mode']>({
    message: 'Does a commit wait for a replica?',
    options: [
      { value: 'async', label: 'no', hint: 'async: faster; the last commits may be lost with the primary' },
      { value: 'quorum', label: 'yes', hint: 'quorum: nothing is lost; commits stop where no replica is left' },
    ],
    output: process.stderr,
  });
  return isCancel(mode) ? undefined : { ...answers, mode };
}

function readTyped(typed: string | undefined, proposed: string): string {
  const trimmed = (typed ?? '').trim();
  return trimmed === '' ? proposed : trimmed;
}

function describeProblem(answers: Answers): string | undefined {
  return findProblems(answers)[0]?.message;
}
