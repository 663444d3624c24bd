import type { Issue } from './diagnostic.ts';
import { shorten, type Path } from './path.ts';
import { listSettings } from './settings.ts';
import type { TopologyFile } from './types.gen.ts';
import { parseDuration, parseSize } from './units.ts';

/** Bytes. Docker refuses less: https://docs.docker.com/engine/containers/resource_constraints/ */
const leastMemory = 6 * 2 ** 20;
/** Bytes. Less than this is a number meant as megabytes, and PostgreSQL's workers would find no room. */
const leastShm = 2 ** 20;
const mostBytes = 2 ** 50;
/** Seconds. Docker refuses less: https://docs.docker.com/reference/compose-file/services/#healthcheck */
const leastInterval = 0.001;
const mostSeconds = 24 * 3600;

/** Sizes and times that the engine would refuse, or that are a slip of their unit. */
export function checkSizes(raw: TopologyFile): Issue[] {
  return listSettings(raw).flatMap(({ path, settings }): Issue[] => {
    const { interval, timeout, start_period: startPeriod } = settings.healthcheck ?? {};
    const check = [...path, 'healthcheck'];
    return [
      ...checkSize([...path, 'memory'], settings.memory, leastMemory),
      ...checkSize([...path, 'shm_size'], settings.shm_size, leastShm),
      ...checkTime([...check, 'interval'], interval, leastInterval),
      ...checkTime([...check, 'timeout'], timeout, leastInterval),
      ...checkTime([...check, 'start_period'], startPeriod, 0),
    ];
  });
}

function checkSize(path: Path, size: number | string | undefined, least: number): Issue[] {
  if (size === undefined) return [];
  const bytes = parseSize(size);
  if (bytes >= least && bytes <= mostBytes) return [];
  const bound = bytes < least ? `at least ${least / 2 ** 20}MB` : `at most ${mostBytes / 2 ** 40}TB`;
  const message = `expected ${bound}, got ${JSON.stringify(shorten(String(size)))}`;
  return [{ path, at: 'value', code: 'size', message, hint: 'a number without a unit is bytes' }];
}

function checkTime(path: Path, time: number | string | undefined, least: number): Issue[] {
  if (time === undefined) return [];
  const seconds = parseDuration(time);
  if (seconds >= least && seconds <= mostSeconds) return [];
  const bound = least > 0 ? '1ms to 24h' : 'at most 24h';
  const message = `expected ${bound}, got ${JSON.stringify(shorten(String(time)))}`;
  return [{ path, at: 'value', code: 'duration', message, hint: 'a number without a unit is seconds' }];
}
