import { describe, expect, it } from 'vitest';
import { PgherdError } from '../../src/base/error.ts';
import type { Output } from '../../src/cli/output.ts';
import { tellLines, type ProgressDisplay } from '../../src/cli/render/progress.ts';
import { bringUp, Story } from './progress-support.ts';
import { recordOutput } from './recorder.ts';

const story = new Story();
const start = 'node/lb1-primary: create-container';
const other = 'node/lb1-replica1: create-container';

/** A display whose clock the test moves, a second at a time. */
function open(format: Output['format'] = 'text') {
  const said: string[] = [];
  const say = (text: string): void => void said.push(text);
  const { output } = recordOutput({ format, print: say, note: say });
  let now = 0;
  let pulse = (): void => undefined;
  const every = (_: number, act: () => void): (() => void) => {
    pulse = act;
    return () => {
      pulse = () => undefined;
    };
  };
  const display = tellLines(output, { now: () => now, every });
  const wait = (seconds: number): void => {
    for (let second = 0; second < seconds; second += 1) {
      now += 1000;
      pulse();
    }
  };
  return { said, display, wait };
}

function begin(display: ProgressDisplay, ...ids: readonly string[]): void {
  for (const id of ids) display.report('shop', { type: 'step-started', step: story.step(id) });
}

function finish(display: ProgressDisplay, id: string): void {
  display.report('shop', { type: 'step-ended', outcome: { step: story.step(id), result: 'done', milliseconds: 312 } });
}

const error = new PgherdError('engine-timeout', 'no answer within 30 s', { retry: true, remedy: 'wait' });

describe('where there is no terminal', () => {
  it('tells each transition in a line, with the time since the beginning', () => {
    const { said, display, wait } = open();
    display.report('shop', { type: 'looking' });
    display.report('shop', { type: 'planned', plan: bringUp, round: 1 });
    display.report('shop', { type: 'waiting-for-lock', holder: 'op@host' });
    begin(display, start, other);
    wait(2);
    finish(display, start);
    display.report('shop', { type: 'step-ended', outcome: { step: story.step(other), result: 'failed', error } });
    display.report('shop', { type: 'retrying', milliseconds: 2000, error });
    expect(said).toEqual([
      '   0.0 s  shop  waiting: the cluster is being changed by op@host',
      '   2.0 s  shop  node/lb1-primary: create-container (312 ms)',
      '   2.0 s  shop  node/lb1-replica1: create-container failed: no answer within 30 s',
      '   2.0 s  shop  trying again in 2 s',
    ]);
  });

  it('tells once who has the cluster', () => {
    const { said, display } = open();
    display.report('shop', { type: 'waiting-for-lock', holder: 'op@host' });
    display.report('shop', { type: 'planned', plan: bringUp, round: 1 });
    display.report('shop', { type: 'waiting-for-lock', holder: 'op@host' });
    display.report('shop', { type: 'waiting-for-lock', holder: 'else@host' });
    expect(said).toHaveLength(2);
  });

  it('says every 10 s of silence what is waited for, and every 30 s after three times', () => {
    const { said, display, wait } = open();
    begin(display, start);
    wait(3);
    begin(display, other);
    wait(90);
    expect(said).toEqual([
      '  10.0 s  shop  still waiting: node/lb1-primary: create-container, 10 s; node/lb1-replica1: create-container, 7 s',
      '  20.0 s  shop  still waiting: node/lb1-primary: create-container, 20 s; node/lb1-replica1: create-container, 17 s',
      '  30.0 s  shop  still waiting: node/lb1-primary: create-container, 30 s; node/lb1-replica1: create-container, 27 s',
      '  60.0 s  shop  still waiting: node/lb1-primary: create-container, 60 s; node/lb1-replica1: create-container, 57 s',
      '  90.0 s  shop  still waiting: node/lb1-primary: create-container, 90 s; node/lb1-replica1: create-container, 87 s',
    ]);
  });

  it('says it of a cluster that somebody else has', () => {
    const { said, display, wait } = open();
    display.report('shop', { type: 'waiting-for-lock', holder: 'op@host' });
    wait(10);
    expect(said.at(-1)).toBe('  10.0 s  shop  still waiting: the cluster is being changed by op@host, 10 s');
  });

  it('is silent as long as other lines come, while nothing runs, and when it is closed', () => {
    const { said, display, wait } = open();
    begin(display, start, other);
    wait(9);
    finish(display, other);
    wait(9);
    expect(said).toHaveLength(1);
    finish(display, start);
    wait(60);
    expect(said).toHaveLength(2);
    begin(display, start);
    display.close();
    wait(60);
    expect(said).toHaveLength(2);
  });
});

describe('with --format json', () => {
  it('tells each event in a line', () => {
    const { said, display, wait } = open('json');
    display.report('shop', { type: 'planned', plan: { ...bringUp, steps: [story.step(start)] }, round: 1 });
    begin(display, start);
    wait(10);
    finish(display, start);
    display.report('shop', { type: 'retrying', milliseconds: 500, error });
    expect(said.map((line) => JSON.parse(line) as unknown)).toEqual([
      { cluster: 'shop', event: 'planned', round: 1, steps: [start] },
      { cluster: 'shop', event: 'step-started', step: start },
      { cluster: 'shop', event: 'still-waiting', steps: [start], milliseconds: 10_000 },
      { cluster: 'shop', event: 'step-ended', step: start, result: 'done', milliseconds: 312 },
      {
        cluster: 'shop',
        event: 'retrying',
        milliseconds: 500,
        error: { code: 'engine-timeout', message: 'no answer within 30 s', remedy: 'wait' },
      },
    ]);
  });
});
