/** A command of a console block, and what the block shows it to print. */
export type Shown = { readonly command: string; readonly output: string };

const fence = '```';
const opening = `${fence}console`;
const prompt = '$ ';
const continued = '> ';

/** The commands of all console blocks of a Markdown text, in their order, each with what is shown below it. */
export function readConsole(markdown: string): readonly Shown[] {
  return blocksOf(markdown).flatMap(({ lines }) => readBlock(lines));
}

/** The text with what each command is shown to print replaced, one by one in their order. */
export function writeConsole(markdown: string, outputs: readonly string[]): string {
  let next = 0;
  let text = '';
  let end = 0;
  for (const block of blocksOf(markdown)) {
    const shown = readBlock(block.lines).map(({ command }) => {
      const output = outputs[next] ?? '';
      next += 1;
      const lines = command.split('\n').map((line, index) => `${index === 0 ? prompt : continued}${line}\n`);
      return `${lines.join('')}${output === '' ? '' : `${output}\n`}`;
    });
    text += `${markdown.slice(end, block.start)}${shown.join('')}`;
    end = block.end;
  }
  return text + markdown.slice(end);
}

type Block = { readonly start: number; readonly end: number; readonly lines: readonly string[] };

function blocksOf(markdown: string): readonly Block[] {
  const blocks: Block[] = [];
  for (let at = markdown.indexOf(`\n${opening}\n`); at !== -1;) {
    const start = at + opening.length + 2;
    const end = markdown.indexOf(`\n${fence}\n`, start - 1);
    if (end === -1) throw new Error('a console block is never closed');
    const body = markdown.slice(start, end + 1);
    blocks.push({ start, end: start + body.length, lines: body.split('\n').slice(0, -1) });
    at = markdown.indexOf(`\n${opening}\n`, end);
  }
  return blocks;
}

function readBlock(lines: readonly string[]): readonly Shown[] {
  const shown: { command: string; output: string[] }[] = [];
  for (const line of lines) {
    const last = shown.at(-1);
    if (line.startsWith(prompt)) shown.push({ command: line.slice(prompt.length), output: [] });
    else if (last === undefined) throw new Error(`a console block starts with a command, not with ${line}`);
    else if (line.startsWith(continued) && last.output.length === 0)
      last.command += `\n${line.slice(continued.length)}`;
    else last.output.push(line);
  }
  return shown.map(({ command, output }) => ({ command, output: output.join('\n') }));
}

/** What differs from run to run, and what it is written as to be compared. */
const varying: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:\d\d)?)?/g, 'TIME'],
  [/\d+\.\d+\.\d+\.\d+/g, 'ADDRESS'],
  [/\b[0-9A-F]+\/[0-9A-F]{6,8}\b/g, 'LSN'],
  [/\b\d+(\.\d+)? (ms|s)\b/g, 'DURATION'],
  [/\b\d+(\.\d+)? (B|kB|MB)\b/g, 'SIZE'],
  [/\b\d+[smhd](\d+[smh])?\b/g, 'AGE'],
  [/\b\d+ steps? done/g, 'STEPS done'],
  [/-{2,}/g, '--'],
  [/ +/g, ' '],
];

/** A text less what differs from run to run: times, addresses, sizes, and the widths of columns that follow from them. */
export function withoutVarying(text: string): string {
  return varying.reduce((left, [pattern, word]) => left.replace(pattern, word), text);
}
