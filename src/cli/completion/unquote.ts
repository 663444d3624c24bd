/**
 * The word that bash makes of what is typed: without quotes and backslashes, also where a quote is still open. Variables
 * and commands in it stay as they are: nothing is run.
 */
export function unquoteBash(typed: string): string {
  let word = '';
  let quote = '';
  for (let at = 0; at < typed.length; at++) {
    const character = typed.charAt(at);
    const next = typed.charAt(at + 1);
    const isEscape = character === '\\' && (quote === '' || (quote === '"' && /["\\$`]/.test(next)));
    if (isEscape) {
      word += next;
      at++;
    } else if (quote === '' && /["']/.test(character)) quote = character;
    else if (character === quote && quote !== '') quote = '';
    else word += character;
  }
  return word;
}

/** The path with `~/` as the shell means it. */
export function expandHome(path: string, home: string): string {
  return path === '~' || path.startsWith('~/') ? home + path.slice(1) : path;
}
