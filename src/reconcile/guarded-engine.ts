import type { Engine } from '../docker/engine.ts';

/**
 * An engine that has `verify` pass right before each call that changes something: a controller that lost its lock, or that
 * was suspended while another one took over, does no more than look, wherever in a step it goes on.
 */
export function guardedEngine(engine: Engine, verify: () => Promise<void>): Engine {
  const guarded =
    <A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await verify();
      return call(...args);
    };
  return {
    ...engine,
    createContainer: guarded(engine.createContainer),
    startContainer: guarded(engine.startContainer),
    stopContainer: guarded(engine.stopContainer),
    unpauseContainer: guarded(engine.unpauseContainer),
    killContainer: guarded(engine.killContainer),
    removeContainer: guarded(engine.removeContainer),
    updateContainer: guarded(engine.updateContainer),
    createNetwork: guarded(engine.createNetwork),
    removeNetwork: guarded(engine.removeNetwork),
    connectNetwork: guarded(engine.connectNetwork),
    disconnectNetwork: guarded(engine.disconnectNetwork),
    createVolume: guarded(engine.createVolume),
    removeVolume: guarded(engine.removeVolume),
    writeArchive: guarded(engine.writeArchive),
    exec: guarded(engine.exec),
  };
}
