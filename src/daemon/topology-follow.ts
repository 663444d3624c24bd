import { stat } from 'node:fs/promises';
import { canonicalJson } from '../base/canonical.ts';
import type { LoadResult } from '../topology/load.ts';
import {
  addDoubts,
  clearDoubts,
  findSettleTime,
  unsettled,
  weigh,
  type Reading,
  type Settling,
  type SettleTimes,
} from './topology-settle.ts';
import { absorb, type Absorbed, type Sources } from './topology-state.ts';

export type Consideration = {
  /** Milliseconds after which to read again, where what was read has not stood still for long enough. */
  readonly wait: number | undefined;
  /** What was taken in, where that made a difference. */
  readonly absorbed: Absorbed | undefined;
};

/** Considers one reading after the other, and takes in what stands still. */
export class Follower {
  readonly #times: SettleTimes;
  #sources: Sources = new Map();
  #settling: Settling = unsettled;
  #unplaced = '';

  constructor(times: SettleTimes) {
    this.#times = times;
  }

  get sources(): Sources {
    return this.#sources;
  }

  async consider(reading: Reading): Promise<Consideration> {
    const { loaded } = reading;
    const doubting = addDoubts(this.#settling, this.#sources, loaded);
    const isFirst = doubting.taken === undefined;
    const settleTime = isFirst
      ? await findFirstSettleTime(loaded, this.#times)
      : findSettleTime(doubting, this.#sources, loaded, this.#times);
    const { settling, verdict } = weigh(doubting, reading, settleTime);
    this.#settling = settling;
    if (verdict.type === 'wait') return { wait: verdict.milliseconds, absorbed: undefined };
    const absorbed = verdict.type === 'take' ? this.#take(loaded, isFirst) : undefined;
    this.#settling = clearDoubts(settling, this.#sources, loaded);
    return { wait: undefined, absorbed };
  }

  #take(loaded: LoadResult, isFirst: boolean): Absorbed | undefined {
    const absorbed = absorb(this.#sources, loaded);
    this.#sources = absorbed.sources;
    const unplaced = canonicalJson(absorbed.unplaced);
    const isNew = absorbed.changed.length + absorbed.noticed.length > 0 || unplaced !== this.#unplaced;
    this.#unplaced = unplaced;
    return isNew || isFirst ? absorbed : undefined;
  }
}

/** Nothing is known at first, so a file that was written just now may be half of one. */
async function findFirstSettleTime({ topologies }: LoadResult, { long }: SettleTimes): Promise<number> {
  const times = await Promise.all(topologies.map(({ file }) => stat(file).catch(() => undefined)));
  return times.some((status) => status !== undefined && Date.now() - status.mtimeMs < long) ? long : 0;
}
