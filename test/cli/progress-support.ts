import { PgherdError } from '../../src/base/error.ts';
import { advance, noProgress, type ProgressEvent, type ProgressState } from '../../src/cli/render/progress-state.ts';
import type { Plan, Step } from '../../src/reconcile/plan.ts';
import { planCluster } from '../../src/reconcile/planner.ts';
import type { Progress } from '../../src/reconcile/work.ts';
import { emptySnapshot, topologyOf } from '../reconcile/support.ts';

/** What brings up a cluster with two replicas on an engine that has nothing of it. */
export const bringUp = planOf('shop', 2);

/** An engine that has nothing of it. */
export const nothing = emptySnapshot(topologyOf('cluster_name: shop\nbalancers: [{ name: lb1 }]'));

export function planOf(cluster: string, replicas: number): Plan {
  const topology = topologyOf(`
cluster_name: ${cluster}
network: { subnet: 172.31.0.0/16, rw_subnet: 172.30.255.0/24 }
balancers:
  - { name: lb1, port: 19999, replicas: ${String(replicas)} }
`);
  return planCluster(topology, emptySnapshot(topology), {});
}

/** Work on clusters, told as it would be, by a clock that the test moves. */
export class Story {
  state: ProgressState = noProgress;
  now = 0;
  readonly #plan: Plan;

  constructor(plan: Plan = bringUp) {
    this.#plan = plan;
  }

  /** Moves the clock by so many milliseconds. */
  wait(milliseconds: number): this {
    this.now += milliseconds;
    return this;
  }

  tell(progress: Progress, cluster = this.#plan.cluster): this {
    return this.#follow({ type: 'progress', cluster, progress });
  }

  plan(plan: Plan = this.#plan): this {
    return this.tell({ type: 'planned', plan, round: 1 });
  }

  start(...ids: readonly string[]): this {
    for (const id of ids) this.tell({ type: 'step-started', step: this.step(id) });
    return this;
  }

  done(...ids: readonly string[]): this {
    for (const id of ids) {
      this.tell({ type: 'step-ended', outcome: { step: this.step(id), result: 'done', milliseconds: 0 } });
    }
    return this;
  }

  fail(id: string, error: unknown = new PgherdError('engine-error', 'no space left on device')): this {
    return this.tell({ type: 'step-ended', outcome: { step: this.step(id), result: 'failed', error } });
  }

  skip(...ids: readonly string[]): this {
    for (const id of ids) this.tell({ type: 'step-ended', outcome: { step: this.step(id), result: 'skipped' } });
    return this;
  }

  end(converged: boolean): this {
    return this.#follow({ type: 'ended', cluster: this.#plan.cluster, converged });
  }

  stop(): this {
    return this.#follow({ type: 'stopping' });
  }

  step(id: string): Step {
    const found = this.#plan.steps.find((step) => step.id === id);
    if (found === undefined) throw new Error(`no step "${id}" in\n${this.#plan.steps.map((s) => s.id).join('\n')}`);
    return found;
  }

  #follow(event: ProgressEvent): this {
    this.state = advance(this.state, event, this.now);
    return this;
  }
}

/** Both networks and all volumes are there, and the containers; the primary starts. */
export function halfway(): Story {
  const networks = ['network/shop: create-network', 'network/shop_rw: create-network'];
  const volumes = [0, 1, 2].map((slot) => `volume/shop_lb1_${String(slot)}_1: create-volume`);
  const story = new Story().plan().start(...networks, ...volumes);
  story
    .wait(200)
    .done(...volumes)
    .wait(100)
    .done(...networks);
  story.start('node/lb1-primary: create-container').wait(1500).done('node/lb1-primary: create-container');
  return story.start('node/lb1-primary: prepare-bootstrap').wait(400);
}
