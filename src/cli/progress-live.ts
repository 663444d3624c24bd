import { createLiveArea, type LiveArea } from './live.ts';
import type { Output } from './output.ts';
import type { Clock, ProgressDisplay } from './render/progress.ts';
import { advance, noProgress, type ProgressEvent } from './render/progress-state.ts';
import { viewEnd, viewTree, type View } from './render/progress-tree.ts';
import { readSize } from './terminal.ts';

/** Milliseconds between two drawings. */
const frame = 100;

/** Shows the work on clusters as a tree on standard error, until it is closed. */
export function showTree(output: Output, signal: AbortSignal, clock: Clock): ProgressDisplay {
  const stream = process.stderr;
  const area = createLiveArea(stream);
  let state = noProgress;
  const view = (): View => ({ ...readSize(stream), colour: output.noteColour, unicode: output.terminal.unicode });
  const draw = (): void => {
    area.draw(viewTree(state, clock.now(), view()));
  };
  const follow = (event: ProgressEvent): void => {
    state = advance(state, event, clock.now());
  };
  const stopping = (): void => {
    follow({ type: 'stopping' });
  };
  const drawing = keepDrawing(draw, clock);
  const leaveStops = heedStops(area, drawing);
  output.keepAbove(area);
  stream.on('resize', draw);
  // Over the `^C` that the terminal has written where the cursor stood.
  process.on('exit', draw);
  signal.addEventListener('abort', stopping);
  drawing.start();
  return {
    report: (cluster, progress) => {
      follow({ type: 'progress', cluster, progress });
    },
    end: (cluster, converged) => {
      follow({ type: 'ended', cluster, converged });
    },
    close: () => {
      drawing.stop();
      leaveStops();
      signal.removeEventListener('abort', stopping);
      stream.off('resize', draw);
      process.off('exit', draw);
      output.keepAbove(undefined);
      // Where an error ends everything, nobody has told how the work on each cluster ended.
      for (const { name, endedAt } of state.clusters) {
        if (endedAt === undefined) follow({ type: 'ended', cluster: name, converged: false });
      }
      area.done(viewEnd(state, clock.now(), view()));
    },
  };
}

type Drawing = { readonly start: () => void; readonly stop: () => void };

function keepDrawing(draw: () => void, clock: Clock): Drawing {
  let end: (() => void) | undefined;
  return {
    start: () => {
      end ??= clock.every(frame, draw);
    },
    stop: () => {
      end?.();
      end = undefined;
    },
  };
}

/**
 * Ctrl-Z and `fg`: nothing is drawn from the stop on until it goes on, and then below what others have written
 * meanwhile. Gives a function that ends this.
 */
function heedStops(area: LiveArea, drawing: Drawing): () => void {
  if (process.platform === 'win32') return () => undefined;
  const stop = (): void => {
    drawing.stop();
    process.off('SIGTSTP', stop);
    // Nobody listens any more, so that this stops the process.
    process.kill(process.pid, 'SIGTSTP');
  };
  const goOn = (): void => {
    area.abandon();
    process.off('SIGTSTP', stop).on('SIGTSTP', stop);
    drawing.start();
  };
  process.on('SIGTSTP', stop).on('SIGCONT', goOn);
  return () => {
    process.off('SIGTSTP', stop).off('SIGCONT', goOn);
  };
}
