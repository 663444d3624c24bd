import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PgherdError } from '../../src/base/error.ts';
import { listen } from '../../src/reconcile/heartbeat.ts';
import type { Engine } from '../../src/docker/engine.ts';
import { FakeWorld } from '../bench/fake-engine.ts';

vi.mock('node:timers/promises', () => import('../daemon/sleep.ts'));

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => vi.useRealTimers());

const pass = (milliseconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(milliseconds);

const reportLine = (lsn: number): string =>
  JSON.stringify({ recovery: false, timeline: 1, lsn, receiver: null, slots: {}, oldest: null });

/** A command in a container, with the lines that a test lets it print. */
class Command {
  readonly #lines: string[] = [];
  #hasEnded = false;
  #wake = (): void => undefined;
  isClosed = false;

  print(line: string): void {
    this.#lines.push(line);
    this.#wake();
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  close(): void {
    this.isClosed = true;
    this.end();
  }

  async *lines(): AsyncGenerator<string, void, undefined> {
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) yield line;
      else if (this.#hasEnded) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** Listens to a server; every command that was started is there, with its time. `prepare` may refuse one. */
function start(prepare: (command: Command) => void = () => undefined) {
  const began = performance.now();
  const aborter = new AbortController();
  const told: string[] = [];
  const commands: Command[] = [];
  const times: number[] = [];
  const asked: (readonly string[])[] = [];
  const execStream: Engine['execStream'] = async (container, { command }, signal) => {
    times.push(performance.now() - began);
    asked.push([container, ...command]);
    const made = new Command();
    commands.push(made);
    prepare(made);
    signal.addEventListener('abort', () => {
      made.close();
    });
    return {
      lines: made.lines(),
      stderr: () => '',
      close: () => {
        made.close();
      },
    };
  };
  const ended = listen(
    { ...new FakeWorld().connect().engine, execStream },
    {
      container: 'c1',
      script: '/pgherd/config/heartbeat',
      onReport: ({ lsn }) => told.push(`report ${lsn}`),
      onSilence: (isSilent) => told.push(isSilent ? 'silent' : 'speaks'),
    },
    aborter.signal,
  );
  const last = (): Command => {
    const command = commands.at(-1);
    if (command === undefined) throw new Error('no command was started');
    return command;
  };
  return { aborter, told, commands, times, asked, ended, last };
}

describe('a server', () => {
  it('is asked by its script, once for as long as it speaks', async () => {
    const { asked, last } = start();
    for (let lsn = 0; lsn < 100; lsn += 1) {
      last().print(reportLine(lsn));
      await pass(500);
    }
    expect(asked).toEqual([['c1', 'sh', '/pgherd/config/heartbeat']]);
  });

  it('that speaks is told of with its first report, and each report after it', async () => {
    const { told, last } = start();
    last().print(reportLine(1));
    last().print(reportLine(2));
    await pass(0);
    expect(told).toEqual(['report 1', 'speaks', 'report 2']);
  });

  it('that never spoke is not told of', async () => {
    const { told } = start();
    await pass(60_000);
    expect(told).toEqual([]);
  });

  it('that prints anything else has not spoken', async () => {
    const { told, last } = start();
    last().print('psql: error: connection to server failed');
    last().print('{"recovery":false}');
    await pass(0);
    expect(told).toEqual([]);
  });

  it('that ends is silent at once', async () => {
    const { told, last } = start();
    last().print(reportLine(1));
    await pass(0);
    last().end();
    await pass(0);
    expect(told).toEqual(['report 1', 'speaks', 'silent']);
  });

  it('that hangs is silent after three seconds, and asked anew', async () => {
    const { told, commands, last } = start();
    last().print(reportLine(1));
    await pass(2999);
    expect(told).toEqual(['report 1', 'speaks']);
    await pass(1);
    expect(told).toEqual(['report 1', 'speaks', 'silent']);
    expect(commands[0]?.isClosed).toBe(true);
    await pass(100);
    expect(commands).toHaveLength(2);
  });

  it('that only prints what is no report hangs', async () => {
    const { told, last } = start();
    last().print(reportLine(1));
    for (let left = 6; left > 0; left -= 1) {
      await pass(500);
      last().print('still here');
    }
    await pass(0);
    expect(told).toEqual(['report 1', 'speaks', 'silent']);
  });

  it('whose reports come just in time does not hang', async () => {
    const { told, last } = start();
    for (const lsn of [1, 2, 3]) {
      last().print(reportLine(lsn));
      await pass(2999);
    }
    expect(told).toEqual(['report 1', 'speaks', 'report 2', 'report 3']);
  });

  it('is told to be silent once, and to speak again once', async () => {
    const { told, last } = start();
    last().print(reportLine(1));
    await pass(0);
    for (let left = 5; left > 0; left -= 1) {
      last().end();
      await pass(5000);
    }
    last().print(reportLine(2));
    await pass(0);
    expect(told).toEqual(['report 1', 'speaks', 'silent', 'report 2', 'speaks']);
  });
});

describe('a command that ends', () => {
  it('is started again after a pause that grows to five seconds', async () => {
    const { times } = start((command) => {
      command.end();
    });
    await pass(20_000);
    expect(times).toEqual([0, 100, 300, 700, 1500, 3100, 6300, 11_300, 16_300]);
  });

  it('is started again after the first pause where it has reported', async () => {
    const { times, last } = start();
    for (let left = 4; left > 0; left -= 1) {
      last().end();
      await pass(5000);
    }
    const before = times.length;
    last().print(reportLine(1));
    await pass(0);
    const now = last();
    now.end();
    await pass(99);
    expect(times).toHaveLength(before);
    await pass(1);
    expect(times).toHaveLength(before + 1);
  });

  it.each(['not-running', 'engine-unreachable', 'engine-timeout'] as const)(
    'or cannot be started (%s) neither ends the listening nor is told of',
    async (code) => {
      const { told, times, aborter, ended } = start(() => {
        throw new PgherdError(code, 'no');
      });
      await pass(2000);
      expect(times).toEqual([0, 100, 300, 700, 1500]);
      expect(told).toEqual([]);
      aborter.abort();
      await ended;
    },
  );

  it('by a bug ends the listening with it', async () => {
    const { ended } = start(() => {
      throw new TypeError('undefined is not a function');
    });
    await expect(ended).rejects.toThrow(TypeError);
  });
});

describe('the listening ends when it is called off', () => {
  it('while the server speaks', async () => {
    const { aborter, ended, last } = start();
    last().print(reportLine(1));
    await pass(0);
    aborter.abort();
    await ended;
    expect(last().isClosed).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('between two attempts', async () => {
    const { aborter, ended, times } = start((command) => {
      command.end();
    });
    await pass(150);
    aborter.abort();
    await ended;
    expect(times).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(0);
  });
});
