import { describe, expect, it } from 'vitest';
import { classify, type Answer } from './classify.ts';

const refused = (severity: string, code: string, ...warnings: readonly string[]): Answer => ({
  is: 'refused',
  severity,
  code,
  message: '',
  warnings,
});
const done = (...warnings: readonly string[]): Answer & { readonly is: 'done' } => ({
  is: 'done',
  count: 1,
  rows: [],
  warnings,
});

const givenUp = 'canceling wait for synchronous replication due to user request';
const ended = 'canceling the wait for synchronous replication and terminating connection due to administrator command';

describe('what is known of a write', () => {
  it.each<[string, Answer, string, string]>([
    ['an answer', done(), 'acknowledged', 'acknowledged'],
    ['an answer with another warning', done('there is no transaction in progress'), 'acknowledged', 'acknowledged'],
    ['an answer that nothing was inserted', { ...done(), count: 0 }, 'unknown', 'unknown'],
    ['an answer after a wait that was given up', done(givenUp), 'unknown', 'unknown'],
    ['the end of the session in such a wait', refused('FATAL', '57P01', ended), 'unknown', 'unknown'],
    ['an error after a wait that was given up', refused('ERROR', '57014', ended), 'unknown', 'unknown'],
    ['no session', { is: 'unsent', message: '' }, 'failed', 'failed'],
    ['a connection that was cut', { is: 'cut', message: '' }, 'unknown', 'unknown'],
    ['no answer', { is: 'late' }, 'unknown', 'unknown'],
    ['a server in recovery', refused('ERROR', '25006'), 'failed', 'failed'],
    ['an error that rolls back', refused('ERROR', '53200'), 'failed', 'unknown'],
    ['an error of the balancer', refused('ERROR', '58000'), 'failed', 'unknown'],
    ['the value is there already', refused('ERROR', '23505'), 'failed', 'unknown'],
    ['the end of the session', refused('FATAL', '57P01'), 'unknown', 'unknown'],
    ['a crash', refused('PANIC', '53100'), 'unknown', 'unknown'],
  ])('%s', (_, answer, direct, throughBalancer) => {
    expect([classify(answer, 'direct'), classify(answer, 'balancer')]).toEqual([direct, throughBalancer]);
  });
});
