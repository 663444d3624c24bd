import type { Reply } from './complete.ts';

/**
 * The reply as the shells' scripts read it: a line `text<tab>description` for each candidate, then lines that start with
 * a colon: `:prefix TEXT`, `:files KIND`, `:open`.
 */
export function formatReply({ candidates, prefix, files, isOpen }: Reply): string {
  const lines = [
    ...candidates.map(({ text, description }) => (description === '' ? text : `${text}\t${flatten(description)}`)),
    ...(prefix === '' ? [] : [`:prefix ${prefix}`]),
    ...(files === undefined ? [] : [`:files ${files}`]),
    ...(isOpen ? [':open'] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function flatten(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
