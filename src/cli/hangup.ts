/**
 * Has the process end by the hangup, once it exits. Node puts the settings of its terminal back when it exits, and crashes
 * where the terminal is gone; a process that ends by the signal does not come to that.
 */
export function exitByHangup(): void {
  process.once('exit', () => {
    process.removeAllListeners('SIGHUP');
    process.kill(process.pid, 'SIGHUP');
  });
}
