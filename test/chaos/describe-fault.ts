import type { Fault, LateDeath } from './fault-sequence.ts';

/** A few words for people, from which the fault can be told in full. */
export function describeFault(fault: Fault): string {
  return [fault.kind, ...details(fault)].join(', ');
}

function details(fault: Fault): readonly string[] {
  switch (fault.kind) {
    case 'pause':
    case 'stop-postmaster':
      return [`for ${seconds(fault.ms)}`];
    case 'disconnect':
      return [`from its ${fault.from}`];
    case 'kill-controller':
      return [`${seconds(fault.afterMs)} after ${fault.during}`, `for ${seconds(fault.awayMs)}`];
    case 'kill-two':
      return [`with ${replica(fault.replica)}`];
    case 'crash-twice':
      return [fault.process, `again after ${seconds(fault.apartMs)}`, ...(fault.isKilledThen ? ['then kill'] : [])];
    case 'stalled-pause':
      return [`for ${seconds(fault.stallMs)}`, ...death(fault.death), `resumed after ${seconds(fault.pausedMs)}`];
    case 'stalled-switchover':
      return [`for ${seconds(fault.stallMs)}`, ...death(fault.death)];
    case 'stalled-failover':
      return [
        `for ${seconds(fault.stallMs)}`,
        ...(fault.death === undefined ? [] : [`${seconds(fault.death.afterMs)} after ${fault.death.how}`]),
      ];
    case 'reports':
      return [fault.conflict, ...death(fault.death)];
    case 'connections':
      return [`for ${seconds(fault.ms)}`, ...death(fault.death)];
    case 'hang-replica':
      return [replica(fault.replica), `by ${fault.by}`, ...death(fault.death)];
    case 'kill-script':
      return [
        `${fault.script} × ${fault.times}`,
        fault.isWhole ? 'whole' : 'its shell',
        `after ${seconds(fault.afterMs)}`,
        `during ${fault.during}`,
      ];
    case 'suspend-controller':
      return [
        `for ${seconds(fault.ms)}`,
        typeof fault.at === 'number'
          ? `${seconds(fault.at)} after ${fault.during}`
          : `at ${fault.at} after ${fault.during}`,
      ];
    case 'restart-engine':
      return [`by ${fault.by}`, `for ${seconds(fault.ms)}`];
    case 'kill':
    case 'kill-postmaster':
    case 'remove':
    case 'out-of-memory':
    case 'kill-next-leader':
      return [];
  }
}

function death(late: LateDeath | undefined): readonly string[] {
  return late === undefined ? [] : [`${late.how} after ${seconds(late.afterMs)}`];
}

function replica(index: 0 | 1): string {
  return `replica ${index + 1} of 2`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
