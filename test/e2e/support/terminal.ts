import { newRun, ROOT } from './engine.ts';
import { output } from './run.ts';
import { until } from './until.ts';

/** pgherd, for a shell. */
export const PROGRAM = `${process.execPath} ${ROOT}dist/pgherd.js`;

/** As a person's shell has it: no CI, and a locale with Unicode. */
const PERSON = { CI: undefined, NO_COLOR: undefined, LC_ALL: 'C.UTF-8' };

/** A real terminal with a shell in it, in a tmux of its own. */
export class Terminal {
  readonly #server = `pgherd-${newRun().id}`;
  #isOpen = true;

  /** Opens one of 100 columns and 30 rows. */
  static async open(directory: string, env: Readonly<Record<string, string>>): Promise<Terminal> {
    const terminal = new Terminal();
    const settings = { cwd: directory, env: { ...PERSON, ...env, PS1: '$ ' } };
    const size = ['-x', '100', '-y', '30'];
    const shell = ['bash', '--norc', '--noprofile'];
    await output('tmux', [...terminal.#own, '-f', '/dev/null', 'new-session', '-d', ...size, ...shell], settings);
    await terminal.shows('a prompt', (text) => text === '$');
    return terminal;
  }

  get #own(): readonly string[] {
    return ['-u', '-L', this.#server];
  }

  async #tmux(...args: readonly string[]): Promise<string> {
    return await output('tmux', [...this.#own, ...args]);
  }

  /** Types a line. */
  async type(line: string): Promise<void> {
    await this.#tmux('send-keys', '-l', line);
    await this.press('Enter');
  }

  /** Clears the screen and runs pgherd, which says its number first (`pid=…`) and its exit code last (`exit=…`). */
  async pgherd(args: string): Promise<number> {
    await this.type('clear');
    await this.#tmux('clear-history');
    await this.type(`(echo pid=$BASHPID; exec ${PROGRAM} ${args}); echo exit=$?`);
    const text = await this.shows('its number', (seen) => /^pid=\d+/m.test(seen));
    return Number(/^pid=(\d+)/m.exec(text)?.[1]);
  }

  /** Keys by tmux's names, e.g. `C-c`. */
  async press(...keys: readonly string[]): Promise<void> {
    await this.#tmux('send-keys', ...keys);
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** What it shows, without spaces at the end. */
  async screen(): Promise<string> {
    return (await this.#tmux('capture-pane', '-p')).replaceAll(/ +$/gm, '').trimEnd();
  }

  /** What it has shown, from the beginning. */
  async history(): Promise<string> {
    return (await this.#tmux('capture-pane', '-p', '-S', '-')).replaceAll(/ +$/gm, '').trimEnd();
  }

  /** Waits until it shows something. */
  async shows(what: string, holds: (screen: string) => boolean): Promise<string> {
    return until(`the terminal shows ${what}`, () => this.screen(), holds);
  }

  /** Whether the cursor is shown, and the settings of the line but its size, as programs find them. */
  async sanity(): Promise<{ readonly cursor: string; readonly settings: string }> {
    await this.type('clear; stty -a; echo told');
    const text = await this.shows('its settings', (seen) => seen.endsWith('\ntold\n$'));
    const cursor = (await this.#tmux('display-message', '-p', '#{cursor_flag}')).trim();
    const settings = text.replaceAll(/rows \d+; columns \d+; /g, '').replaceAll(/\s+/g, ' ');
    return { cursor, settings };
  }

  /** Closes it, whatever runs in it. */
  async close(): Promise<void> {
    if (this.#isOpen) await this.#tmux('kill-session');
    this.#isOpen = false;
  }
}
