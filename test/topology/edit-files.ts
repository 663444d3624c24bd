import fc from 'fast-check';

/** A file made of what must never change, and between that what stands for the replicas of each group. */
export type Written = {
  readonly text: string;
  readonly file: string;
  /** One more than groups. */
  readonly fixed: readonly string[];
  readonly groups: readonly GroupText[];
};

export type GroupText = {
  readonly name: string;
  readonly form: Form;
  /** Entries of a list, in order; of each the text from its first key on, and the comments that are its own. */
  readonly entries: readonly EntryText[];
};

export type EntryText = { readonly slot: number; readonly text: string; readonly comments: readonly string[] };

type Draw = <T>(arbitrary: fc.Arbitrary<T>) => T;
type Field = readonly [key: string, value: string | number | Readonly<Record<string, string | number>>];
type Replica = { readonly slot: number; readonly fields: readonly Field[] };
type Form = 'absent' | 'number' | 'list';
type GroupModel = { readonly name: string; readonly form: Form; readonly replicas: readonly Replica[] };

/** Files in many styles: block and flow, JSON compact and indented, quotes, comments, line ends. */
export const writtenFiles: fc.Arbitrary<Written> = fc.gen().map((g) => {
  const draw: Draw = (arbitrary) => g(() => arbitrary);
  const groups = drawGroups(draw);
  const style = draw(fc.constantFrom('block', 'block', 'json', 'flow'));
  return style === 'block' ? new BlockWriter(draw).write(groups) : writeBraces(draw, groups, style);
});

function drawGroups(draw: Draw): GroupModel[] {
  return Array.from({ length: draw(fc.integer({ min: 1, max: 3 })) }, (_, index) => {
    const form = draw(fc.constantFrom<Form>('absent', 'number', 'list', 'list', 'list'));
    const count = form === 'absent' ? 0 : draw(fc.integer({ min: 0, max: 4 }));
    return { name: `lb${index + 1}`, form, replicas: drawReplicas(draw, index, form, count) };
  });
}

function drawReplicas(draw: Draw, index: number, form: Form, count: number): Replica[] {
  const keys = draw(
    fc.subarray(['node_id', 'host', 'container_name', 'port', 'ip_address', 'memory', 'parameters', 'cpus']),
  );
  const step = form === 'list' && keys.includes('node_id') ? draw(fc.integer({ min: 1, max: 3 })) : 1;
  const hostOf = draw(
    fc.constantFrom<(slot: number) => string>(
      (slot) => `r${index}x${slot}`,
      (slot) => `pg${index}-${'abcdefghijklmno'[slot] ?? 'z'}`,
      (slot) => `g${index}-node-0${slot}-x`,
      (slot) => `\${NAME}-${index}-${slot}`,
    ),
  );
  return Array.from({ length: count }, (_, at) => {
    const slot = (at + 1) * step;
    const values: Record<string, Field[1]> = {
      node_id: slot,
      host: hostOf(slot),
      container_name: `c_${index}_${slot}`,
      port: 20_000 + index * 100 + slot,
      ip_address: `10.1.${index}.${20 + slot}`,
      memory: '512MB',
      parameters: { work_mem: '64MB', jit: 'off' },
      cpus: 1.5,
    };
    return { slot, fields: keys.map((key): Field => [key, values[key] ?? 0]) };
  });
}

/** Writes YAML in blocks, with comments and blank lines wherever they may stand. */
class BlockWriter {
  readonly #draw: Draw;
  readonly #eol: string;
  readonly #unit: string;
  readonly #indentsLists: boolean;
  #marks = 0;

  constructor(draw: Draw) {
    this.#draw = draw;
    this.#eol = draw(fc.constantFrom('\n', '\n', '\r\n'));
    this.#unit = ' '.repeat(draw(fc.integer({ min: 2, max: 4 })));
    this.#indentsLists = draw(fc.boolean());
  }

  write(models: readonly GroupModel[]): Written {
    const bom = this.#draw(fc.constantFrom('', '', '\uFEFF'));
    const head =
      `${bom}${this.#noise('')}cluster_name: shop${this.#inline()}${this.#eol}${this.#noise('')}` +
      `network: { subnet: 10.1.0.0/16 }${this.#inline()}${this.#eol}balancers:${this.#inline()}${this.#eol}`;
    const fixed: string[] = [];
    let piece = head;
    const groups: GroupText[] = [];
    let text = head;
    const add = (chunk: string): void => {
      piece += chunk;
      text += chunk;
    };
    for (const model of models) {
      const dash = this.#indentsLists ? this.#unit : '';
      const inner = `${dash}  `;
      const port = `${inner}port: ${19_000 + groups.length}${this.#inline()}`;
      const isLast = model.form === 'absent' || this.#draw(fc.boolean());
      const key = this.#draw(fc.constantFrom('replicas', '"replicas"', "'replicas'"));
      add(`${this.#noise(dash)}${dash}- name: ${model.name}${this.#inline()}${this.#eol}`);
      if (isLast) add(`${this.#noise(inner)}${port}`);
      if (model.form !== 'absent') add(`${isLast ? this.#eol : ''}${this.#noise(inner)}${inner}${key}:`);
      const { chunk, entries } = this.#writeReplicas(model, inner);
      text += chunk;
      fixed.push(piece);
      piece = '';
      groups.push({ name: model.name, form: model.form, entries });
      add(`${this.#eol}${isLast ? '' : `${this.#noise(inner)}${port}${this.#eol}`}${this.#noise(inner)}`);
    }
    if (this.#draw(fc.boolean()))
      add(`bind_address: 127.0.0.1${this.#inline()}${this.#draw(fc.constantFrom('', this.#eol))}`);
    return { text, file: 'topology.yaml', fixed: [...fixed, piece], groups };
  }

  #writeReplicas(model: GroupModel, inner: string): { chunk: string; entries: readonly EntryText[] } {
    if (model.form === 'absent') return { chunk: '', entries: [] };
    if (model.form === 'number') return { chunk: ` ${model.replicas.length}${this.#inline()}`, entries: [] };
    if (model.replicas.length === 0) return { chunk: ` []${this.#inline()}`, entries: [] };
    const isFlow = this.#draw(fc.boolean());
    return isFlow ? this.#writeFlowList(model.replicas, inner) : this.#writeBlockList(model.replicas, inner);
  }

  #writeBlockList(replicas: readonly Replica[], inner: string): { chunk: string; entries: readonly EntryText[] } {
    const dash = inner + (this.#indentsLists ? this.#unit : '');
    const gap = ' '.repeat(this.#draw(fc.integer({ min: 1, max: 3 })));
    const isSpaced = this.#draw(fc.boolean());
    let chunk = this.#inline();
    const entries = replicas.map(({ slot, fields }, index): EntryText => {
      const before = this.#marks;
      if (isSpaced && index > 0) chunk += this.#eol;
      if (this.#draw(fc.boolean())) chunk += `${this.#eol}${dash}# loose${this.#eol}`;
      const above = this.#draw(fc.boolean()) ? `${this.#eol}${dash}${this.#mark()}` : '';
      const isFlow = fields.length === 0 || this.#draw(fc.boolean());
      const text = isFlow ? this.#writeFlowMap(fields) : this.#writeBlockMap(fields, `${dash} ${gap}`);
      const own = this.#marks;
      chunk += `${above}${this.#eol}${dash}-${gap}${text}${this.#inline()}`;
      return {
        slot,
        text: isFlow ? text.replace(/^\{\s*/, '') : text,
        comments: this.#range(before, Math.max(own, this.#marks)),
      };
    });
    return { chunk, entries };
  }

  #writeBlockMap(fields: readonly Field[], indent: string): string {
    return fields
      .map(([key, value], index) => {
        const isLast = index === fields.length - 1;
        const tail = isLast ? '' : this.#inline();
        const above = index > 0 && this.#draw(fc.boolean()) ? `${indent}${this.#mark()}${this.#eol}` : '';
        const start = index === 0 ? '' : `${above}${indent}`;
        if (typeof value !== 'object') return `${start}${this.#quoteKey(key)}: ${this.#quote(value)}${tail}`;
        const inner = Object.entries(value).map(
          ([name, each]) => `${this.#eol}${indent}${this.#unit}${name}: ${this.#quote(each)}`,
        );
        return `${start}${this.#quoteKey(key)}:${this.#inline()}${inner.join('')}${tail}`;
      })
      .join(this.#eol);
  }

  #writeFlowMap(fields: readonly Field[]): string {
    const padding = this.#draw(fc.constantFrom('', ' '));
    const pairs = fields.map(([key, value]): string => {
      if (typeof value !== 'object') return `${this.#quoteKey(key)}: ${this.#quote(value, true)}`;
      return `${key}: { ${Object.entries(value)
        .map(([name, each]) => `${name}: ${this.#quote(each, true)}`)
        .join(', ')} }`;
    });
    return `{${padding}${pairs.join(', ')}${padding}}`;
  }

  #writeFlowList(replicas: readonly Replica[], inner: string): { chunk: string; entries: readonly EntryText[] } {
    const indent = inner + this.#unit;
    const isOnLines = this.#draw(fc.boolean());
    const hasTrailing = this.#draw(fc.boolean());
    const padding = this.#draw(fc.constantFrom('', ' '));
    let chunk = ' [';
    if (isOnLines) chunk += this.#inline();
    const entries = replicas.map(({ slot, fields }, index): EntryText => {
      const before = this.#marks;
      const text = this.#writeFlowMap(fields);
      const comma = index < replicas.length - 1 || hasTrailing ? ',' : '';
      if (isOnLines) {
        const above = this.#draw(fc.boolean()) ? `${this.#eol}${indent}${this.#mark()}` : '';
        chunk += `${above}${this.#eol}${indent}${text}${comma}${this.#inline()}`;
      } else {
        chunk += `${index === 0 ? padding : ' '}${text}${comma}`;
      }
      return { slot, text: text.replace(/^\{\s*/, ''), comments: this.#range(before, this.#marks) };
    });
    chunk += `${isOnLines ? `${this.#eol}${inner}` : padding}]${this.#inline()}`;
    return { chunk, entries };
  }

  #mark(): string {
    this.#marks += 1;
    return `# <${this.#marks}> "{[- x: `.trimEnd();
  }

  #range(before: number, after: number): string[] {
    return Array.from({ length: after - before }, (_, index) => `<${before + index + 1}>`);
  }

  #inline(): string {
    return this.#draw(fc.boolean()) ? `${' '.repeat(this.#draw(fc.integer({ min: 1, max: 3 })))}${this.#mark()}` : '';
  }

  /** Whole lines that say nothing. */
  #noise(indent: string): string {
    const lines = this.#draw(fc.array(fc.constantFrom('blank', 'comment', 'deep'), { maxLength: 2 }));
    return lines
      .map((line) =>
        line === 'blank' ? this.#eol : `${indent}${line === 'deep' ? '   ' : ''}${this.#mark()}${this.#eol}`,
      )
      .join('');
  }

  #quoteKey(key: string): string {
    return this.#draw(fc.constantFrom(key, key, `"${key}"`));
  }

  #quote(value: string | number, isFlow = false): string {
    if (typeof value === 'number') return String(value);
    const isPlain = !(isFlow && value.includes('{'));
    return this.#draw(fc.constantFrom(isPlain ? value : `"${value}"`, `"${value}"`, `'${value}'`));
  }
}

/** Writes JSON, or the same with bare keys. */
function writeBraces(draw: Draw, models: readonly GroupModel[], style: 'json' | 'flow'): Written {
  const indent = draw(fc.constantFrom(undefined, 1, 2, 4, '\t'));
  const isLast = draw(fc.boolean());
  const end = draw(fc.constantFrom('', '\n'));
  const eol = draw(fc.constantFrom('\n', '\r\n'));
  const balancers = models.map((model, index) => {
    const place = { replicas: `@@${index}@@` };
    const port = { port: 19_000 + index };
    return isLast || model.form === 'absent'
      ? { name: model.name, ...port, ...place }
      : { name: model.name, ...place, ...port };
  });
  const value = { cluster_name: 'shop', network: { subnet: '10.1.0.0/16' }, balancers };
  const finish = (json: string): string =>
    (style === 'json' ? json : json.replaceAll(/"(\w+)":\s?/g, '$1: ')).replaceAll('\n', eol);
  let template = JSON.stringify(value, null, indent) + end;
  const chunks = models.map(({ form, replicas }, index): string => {
    const quoted = `"@@${index}@@"`;
    if (form === 'absent') {
      template = template.replace(new RegExp(`,\\s*"replicas":\\s?${quoted}`), quoted);
      return '';
    }
    if (form === 'number') return String(replicas.length);
    const list = JSON.stringify(
      replicas.map(({ fields }) => Object.fromEntries(fields)),
      null,
      indent,
    );
    const line = template.split('\n').find((each) => each.includes(quoted)) ?? '';
    return list.replaceAll('\n', `\n${/^\s*/.exec(line)?.[0] ?? ''}`);
  });
  const fixed = finish(template).split(/"@@\d@@"/);
  const written = chunks.map(finish);
  const text = fixed.map((piece, index) => piece + (written[index] ?? '')).join('');
  const groups = models.map((model, index): GroupText => {
    const texts = splitEntries(written[index] ?? '');
    const entries =
      model.form === 'list'
        ? model.replicas.map(({ slot }, at) => ({ slot, text: texts[at] ?? '', comments: [] }))
        : [];
    return { name: model.name, form: model.form, entries };
  });
  return { text, file: style === 'json' ? 'topology.json' : 'topology.yaml', fixed, groups };
}

/** The entries of a list in brackets, each from its first key on. */
function splitEntries(list: string): string[] {
  const entries: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < list.length; at += 1) {
    const character = list[at];
    if (character === '{' && depth++ === 0) start = at + 1;
    if (character === '}' && --depth === 0) entries.push(list.slice(start, at + 1).trimStart());
  }
  return entries;
}
