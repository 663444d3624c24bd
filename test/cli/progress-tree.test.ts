import { describe, expect, it } from 'vitest';
import { PgherdError } from '../../src/base/error.ts';
import { forTerminal } from '../../src/cli/neutral.ts';
import { viewEnd, viewTree, type View } from '../../src/cli/render/progress-tree.ts';
import { bringUp, halfway, nothing, planOf, Story } from './progress-support.ts';

const wide: View = { columns: 100, rows: 30, colour: false, unicode: true };

/** A screen as text, between two line ends so that it can be written below a quote. */
function screen(story: Story, view: Partial<View> = {}): string {
  return `\n${viewTree(story.state, story.now, { ...wide, ...view }).join('\n')}\n`;
}

function lineOf(story: Story, name: string): string {
  return viewTree(story.state, story.now, wide).find((line) => line.includes(`${name} `)) ?? '';
}

describe('the tree of a cluster that is brought up', () => {
  it('shows what is done, what is under way and what waits, each with its time', () => {
    expect(screen(halfway())).toMatchInlineSnapshot(`
      "
      ⠹ shop                   2.2 s  6 of 14 steps done
        ✔ network/shop         0.3 s  created
        ✔ network/shop_rw      0.3 s  created
        ✔ volume/shop_lb1_0_1  0.2 s  created
        ✔ volume/shop_lb1_1_1  0.2 s  created
        ✔ volume/shop_lb1_2_1  0.2 s  created
        ⠹ node/lb1-primary     0.4 s  preparing its first start
        · node/lb1-replica1           waits for its turn
        · node/lb1-replica2           waits for its turn
        · balancer/lb1                waits for its turn
      "
    `);
  });

  it('fits a small terminal: what is done is counted, long texts are cut', () => {
    expect(screen(halfway(), { columns: 40, rows: 10 })).toMatchInlineSnapshot(`
      "
      ⠹ shop                2.2 s  6 of 14 s…
        ✔ network/shop      0.3 s  created
        ✔ network/shop_rw   0.3 s  created
        ✔ volume/shop_lb1…  0.2 s  created
        ⠹ node/lb1-primary  0.4 s  preparing…
        · node/lb1-replic…         waits for…
        · node/lb1-replic…         waits for…
        · balancer/lb1             waits for…
        … 2 more done
      "
    `);
  });

  it('comes without Unicode', () => {
    expect(screen(halfway(), { columns: 60, unicode: false, rows: 9 })).toMatchInlineSnapshot(`
      "
      - shop                 2.2 s  6 of 14 steps done
        * network/shop       0.3 s  created
        * network/shop_rw    0.3 s  created
        - node/lb1-primary   0.4 s  preparing its first start
        . node/lb1-replica1         waits for its turn
        . node/lb1-replica2         waits for its turn
        . balancer/lb1              waits for its turn
        ... 3 more done
      "
    `);
  });

  it('says what each waits for', () => {
    const story = new Story().plan().start('network/shop: create-network');
    expect(lineOf(story, 'node/lb1-primary')).toMatchInlineSnapshot(
      `"  · node/lb1-primary            waits for volume/shop_lb1_0_1: creating it and 2 more"`,
    );
    expect(lineOf(story, 'network/shop_rw')).toMatchInlineSnapshot(
      `"  · network/shop_rw             waits for network/shop: creating it"`,
    );
  });

  it('takes a container that is there for no server yet', () => {
    const create = 'node/lb1-replica1: create-container';
    const story = halfway().start(create).wait(50).done(create);
    expect(lineOf(story, 'node/lb1-replica1')).toMatchInlineSnapshot(
      `"  · node/lb1-replica1           waits for node/lb1-primary: preparing its first start"`,
    );
  });

  it('says that it is still waiting after 10 s, in yellow', () => {
    expect(lineOf(halfway().wait(9599), 'node/lb1-primary')).toMatchInlineSnapshot(
      `"  ⠧ node/lb1-primary       9 s  preparing its first start"`,
    );
    expect(lineOf(halfway().wait(9600), 'node/lb1-primary')).toMatchInlineSnapshot(
      `"  ⠇ node/lb1-primary      10 s  still preparing its first start"`,
    );
    const [line = ''] = viewTree(halfway().wait(9600).state, 11_800, { ...wide, colour: true }).filter((each) =>
      each.includes('lb1-primary'),
    );
    expect(forTerminal(line)).toContain('\u001b[33mstill preparing its first start\u001b[39m');
  });
});

describe('an error of the engine', () => {
  const failed = (): Story => halfway().fail('node/lb1-primary: prepare-bootstrap');
  const busy = new PgherdError('engine-timeout', 'the engine did not answer\n  within 30 s', { retry: true });

  it('stands with what failed, in one line', () => {
    expect(lineOf(failed(), 'node/lb1-primary')).toMatchInlineSnapshot(
      `"  ✖ node/lb1-primary     1.9 s  preparing its first start failed: no space left on device"`,
    );
  });

  it('stays while another attempt is made, and goes when it succeeds', () => {
    const story = halfway().fail('node/lb1-primary: prepare-bootstrap', busy);
    story.tell({ type: 'retrying', milliseconds: 2000, error: busy }).wait(500);
    expect(lineOf(story, 'shop')).toMatchInlineSnapshot(
      `"· shop                   2.7 s  trying again in 2 s: the engine did not answer within 30 s"`,
    );
    const again = { ...bringUp, steps: [{ ...story.step('node/lb1-primary: prepare-bootstrap'), after: [] }] };
    story.wait(1500).tell({ type: 'looking' });
    expect(lineOf(story, 'shop')).toMatchInlineSnapshot(`"⠹ shop                   4.2 s  looking again"`);
    story.plan(again).start('node/lb1-primary: prepare-bootstrap');
    expect(lineOf(story, 'node/lb1-primary')).toMatchInlineSnapshot(
      `"  ⠹ node/lb1-primary    <0.1 s  preparing its first start; failed before: the engine did not answe…"`,
    );
    story.wait(100).done('node/lb1-primary: prepare-bootstrap').end(true);
    expect(lineOf(story, 'node/lb1-primary')).toMatchInlineSnapshot(`"  ✔ node/lb1-primary     4.0 s  created"`);
  });

  it('that no retry helps stays to the end, with what was not tried for it', () => {
    const story = failed().skip('node/lb1-primary: start', 'balancer/lb1: create-container');
    story.plan({ ...bringUp, steps: [] }).end(false);
    expect(`\n${viewEnd(story.state, story.now, wide).join('\n')}\n`).toMatchInlineSnapshot(`
      "
      ✖ shop                   2.2 s  not converged
        ✔ network/shop         0.3 s  created
        ✔ network/shop_rw      0.3 s  created
        ✔ volume/shop_lb1_0_1  0.2 s  created
        ✔ volume/shop_lb1_1_1  0.2 s  created
        ✔ volume/shop_lb1_2_1  0.2 s  created
        ✖ node/lb1-primary     1.9 s  preparing its first start failed: no space left on device
        ! balancer/lb1                not begun
      "
    `);
  });

  it('is none where a wait was called off', () => {
    const story = halfway().skip('node/lb1-primary: prepare-bootstrap');
    expect(lineOf(story.end(false), 'node/lb1-primary')).toMatchInlineSnapshot(
      `"  ! node/lb1-primary     1.5 s  not finished"`,
    );
  });
});

describe('Ctrl-C', () => {
  it('says what is still waited for', () => {
    expect(lineOf(halfway().stop(), 'shop')).toMatchInlineSnapshot(
      `"⠹ shop                   2.2 s  stopping when 1 step under way has ended"`,
    );
  });
});

describe('a cluster that somebody else has', () => {
  it('shows what they have done, and what they have to do', () => {
    const story = new Story().tell({ type: 'waiting-for-lock', holder: 'op@host (daemon, process 7)' });
    const look = (steps: typeof bringUp.steps): void => {
      story.tell({ type: 'looking' });
      story.tell({ type: 'looked', looked: { snapshot: nothing, plan: { ...bringUp, steps } } });
    };
    look(bringUp.steps);
    story.wait(3000);
    look(bringUp.steps.filter(({ resource }) => !resource.startsWith('network/') && !resource.startsWith('volume/')));
    expect(screen(story)).toMatchInlineSnapshot(`
      "
      · shop                   3.0 s  waiting: it is being changed by op@host (daemon, process 7)
        ✔ network/shop                created
        ✔ network/shop_rw             created
        ✔ volume/shop_lb1_0_1         created
        ✔ volume/shop_lb1_1_1         created
        ✔ volume/shop_lb1_2_1         created
        · node/lb1-primary            next: creating its container
        · node/lb1-replica1           next: creating its container
        · node/lb1-replica2           next: creating its container
        · balancer/lb1                next: creating its container
      "
    `);
  });
});

describe('at the end', () => {
  it('nothing is left of a run that had nothing to do', () => {
    const story = new Story()
      .tell({ type: 'looking' })
      .plan({ ...bringUp, steps: [] })
      .end(true);
    expect(viewEnd(story.state, story.now, wide)).toEqual([]);
  });

  it('all that was done stays, however small the terminal is', () => {
    const story = halfway().end(true);
    expect(`\n${viewEnd(story.state, story.now, { ...wide, rows: 5 }).join('\n')}\n`).toMatchInlineSnapshot(`
      "
      ✔ shop                   2.2 s  done
        ✔ network/shop         0.3 s  created
        ✔ network/shop_rw      0.3 s  created
        ✔ volume/shop_lb1_0_1  0.2 s  created
        ✔ volume/shop_lb1_1_1  0.2 s  created
        ✔ volume/shop_lb1_2_1  0.2 s  created
        ✔ node/lb1-primary     1.5 s  created
        ✔ node/lb1-replica1           created
        ✔ node/lb1-replica2           created
        ✔ balancer/lb1                created
      "
    `);
  });
});

describe('several clusters', () => {
  it('stand one below the other', () => {
    const story = new Story().plan();
    story.tell({ type: 'planned', plan: planOf('billing', 0), round: 1 }, 'billing');
    expect(screen(story, { rows: 8 })).toMatchInlineSnapshot(`
      "
      ⠋ shop                  <0.1 s  0 of 14 steps done
        · network/shop                waits for its turn
        · network/shop_rw             waits for network/shop: creating it
        · volume/shop_lb1_0_1         waits for its turn
        · volume/shop_lb1_1_1         waits for its turn
      ⠋ billing               <0.1 s  0 of 10 steps done
        … 10 more waiting
      "
    `);
  });
});
