/** The candidate that the word is most likely a slip of, or undefined where none is near. */
export function suggest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  // a third of the word may be wrong, three letters at most
  let least = Math.min(3, Math.max(1, Math.floor(word.length / 3))) + 1;
  const normal = normalise(word);
  for (const candidate of candidates) {
    const other = normalise(candidate);
    if (Math.abs(other.length - normal.length) >= least) continue;
    const distance = countEdits(normal, other);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** For a word that is none of the names there are: which one was meant, maybe, as the beginning of a remedy. */
export function didYouMean(word: string, names: readonly string[]): string {
  const near = suggest(word, names);
  return near === undefined ? '' : `did you mean "${near}"? `;
}

/** The same, with all names there are. */
export function listKnown(word: string, names: readonly string[]): string {
  return `${didYouMean(word, names)}known here: ${names.join(', ') || 'none'}`;
}

function normalise(word: string): string {
  return word.toLowerCase().replaceAll('-', '_');
}

/** Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`. */
function countEdits(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let edits = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(edits);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
