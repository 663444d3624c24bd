/** Where a value stands in a file: keys and list positions from the root. */
export type Path = readonly (string | number)[];

/** `balancers[0].config["some key"]`; empty for the root. */
export function formatPath(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (!/^[a-zA-Z_][a-zA-Z0-9_-]*$/.test(part)) text += `[${JSON.stringify(part)}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

export function startsWithPath(path: Path, prefix: Path): boolean {
  return prefix.length <= path.length && prefix.every((part, index) => part === path[index]);
}

/** Whether what stands at the path may be a password, and must not be shown. */
export function maySayPassword(path: Path): boolean {
  return path.some((part) => typeof part === 'string' && /pass|secret|token/i.test(part));
}

/** Text for a message: what is longer than a name can reasonably be is cut. */
export function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
