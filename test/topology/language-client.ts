import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What an editor shows of a file. Lines and columns count from 1. */
export type Shown = { readonly line: number; readonly column: number; readonly message: string };

/** An editor that asks yaml-language-server, over its standard input and output. */
export type Editor = {
  /** Opens a text as if it were in this file, and gives what is wrong with it. */
  open(file: string, text: string): Promise<{ readonly uri: string; readonly shown: readonly Shown[] }>;
  /** What is offered at a place of an open text. */
  complete(uri: string, line: number, column: number): Promise<readonly string[]>;
  /** What is told of the thing at a place. */
  hover(uri: string, line: number, column: number): Promise<string>;
  close(): void;
};

type Message = { readonly id?: number; readonly method?: string; readonly params?: unknown; readonly result?: unknown };
type Range = { readonly start: { readonly line: number; readonly character: number } };
type Diagnostics = {
  readonly uri: string;
  readonly diagnostics: readonly { readonly range: Range; readonly message: string }[];
};

/** Starts the server as editors do, with this schema for every file. Protocol: Language Server Protocol 3.17. */
export async function openEditor(schema: string): Promise<Editor> {
  const folder = dirname(createRequire(import.meta.url).resolve('yaml-language-server/package.json'));
  const server = spawn(process.execPath, [join(folder, 'bin/yaml-language-server'), '--stdio']);
  const settings = { schemaStore: { enable: false }, schemas: { [pathToFileURL(schema).href]: ['*.yaml', '*.json'] } };
  const answers = new Map<number, (result: unknown) => void>();
  const published = new Map<string, (shown: readonly Shown[]) => void>();

  const send = (message: Message): void => {
    const text = JSON.stringify({ jsonrpc: '2.0', ...message });
    server.stdin.write(`Content-Length: ${String(Buffer.byteLength(text))}\r\n\r\n${text}`);
  };
  const ask = (method: string, params: unknown): Promise<unknown> => {
    const id = answers.size + 1;
    send({ id, method, params });
    return new Promise((resolve) => answers.set(id, resolve));
  };
  const receive = ({ id, method, params, result }: Message): void => {
    if (method === 'textDocument/publishDiagnostics') {
      const { uri, diagnostics } = params as Diagnostics;
      published.get(uri)?.(diagnostics.map(({ range, message }) => ({ ...place(range), message })));
    } else if (method === 'workspace/configuration' && id !== undefined) {
      const { items } = params as { readonly items: readonly { readonly section?: string }[] };
      send({ id, result: items.map(({ section }) => (section === 'yaml' ? settings : null)) });
    } else if (method !== undefined && id !== undefined) send({ id, result: null });
    else if (id !== undefined) answers.get(id)?.(result);
  };

  let rest = Buffer.alloc(0);
  server.stdout.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    for (let message = take(); message !== undefined; message = take()) receive(message);
  });
  function take(): Message | undefined {
    const header = /^Content-Length: (\d+)\r\n(?:.+\r\n)*\r\n/.exec(rest.toString('latin1'));
    const end = (header?.[0].length ?? 0) + Number(header?.[1]);
    if (header === null || rest.length < end) return undefined;
    const message = JSON.parse(rest.subarray(header[0].length, end).toString()) as Message;
    rest = rest.subarray(end);
    return message;
  }

  await ask('initialize', {
    processId: process.pid,
    rootUri: null,
    capabilities: { workspace: { configuration: true } },
  });
  send({ method: 'initialized', params: {} });
  const at = (uri: string, line: number, column: number): unknown => ({
    textDocument: { uri },
    position: { line: line - 1, character: column - 1 },
  });
  return {
    open: async (file, text) => {
      const uri = pathToFileURL(file).href;
      const shown = new Promise<readonly Shown[]>((resolve) => published.set(uri, resolve));
      send({
        method: 'textDocument/didOpen',
        params: { textDocument: { uri, languageId: 'yaml', version: 1, text } },
      });
      return { uri, shown: await shown };
    },
    complete: async (uri, line, column) => {
      const result = await ask('textDocument/completion', at(uri, line, column));
      return (result as { readonly items: readonly { readonly label: string }[] }).items.map(({ label }) => label);
    },
    hover: async (uri, line, column) => {
      const result = await ask('textDocument/hover', at(uri, line, column));
      return (result as { readonly contents: { readonly value: string } }).contents.value;
    },
    close: () => void server.kill(),
  };
}

function place({ start }: Range): { readonly line: number; readonly column: number } {
  return { line: start.line + 1, column: start.character + 1 };
}
