import { Command } from 'commander';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { complete, type Context, type Reply, type Sources } from '../../../src/cli/completion/complete.ts';
import type { NameKind } from '../../../src/cli/completion/rules.ts';
import { describeCommand } from '../../../src/cli/completion/tree.ts';
import { createProgram } from '../../../src/cli/program/program.ts';
import { collect } from '../../../src/cli/program/run.ts';

const program = describeCommand(createProgram());

/** Sources that give the kind they were asked for as a name, and tell what else they were asked. */
function createSources(): { sources: Sources; asked: [NameKind, Context][] } {
  const asked: [NameKind, Context][] = [];
  const findNames: Sources['findNames'] = async (of, context) => {
    asked.push([of, context]);
    return [{ text: `a-${of}`, description: '' }];
  };
  return { sources: { findNames }, asked };
}

/** The line up to the cursor, words with spaces between; a space at its end starts a new word. */
async function ask(line: string, tree = program): Promise<Reply> {
  return complete(tree, line.split(' '), createSources().sources);
}

async function texts(line: string, tree = program): Promise<string[]> {
  return (await ask(line, tree)).candidates.map(({ text }) => text);
}

async function context(line: string, tree = program): Promise<Context | undefined> {
  const { sources, asked } = createSources();
  await complete(tree, line.split(' '), sources);
  return asked[0]?.[1];
}

describe('commands', () => {
  it('stand first, each once, with what it does', async () => {
    const found = await ask('');
    expect(found.candidates).toContainEqual({
      text: 'status',
      description: 'show how clusters are, and what to do next',
    });
    expect(found.candidates.map(({ text }) => text)).not.toContain('daemon');
    expect(found.candidates.map(({ text }) => text).filter((text) => text.startsWith('_'))).toEqual([]);
  });

  it('go by their aliases too, once one is begun', async () => {
    expect(await texts('da')).toContain('daemon');
    expect(await texts('daemon --res')).toContain('--resync');
  });

  it('come after global options and their values', async () => {
    for (const line of ['-v ', '-H unix:///x ', '--host=unix:///x ', '-Hunix:///x ', '-vHunix:///x ', '--no-color ']) {
      expect(await texts(line)).toContain('switchover');
    }
  });

  it('come no second time, and none after one that does not exist', async () => {
    expect(await texts('plan sw')).toEqual([]);
    expect(await texts('plam ')).toEqual([]);
    expect(await texts('plam -')).toEqual([]);
  });
});

describe('options', () => {
  it('are those of the command and the global ones, once a dash is typed', async () => {
    const found = await texts('plan -');
    expect(found).toEqual(
      expect.arrayContaining(['--detailed-exitcode', '-H', '--host', '--no-color', '-h', '--help']),
    );
    expect(found).not.toContain('--once');
    expect(await texts('plan ')).toEqual([]);
  });

  it('of the version are the program’s alone', async () => {
    expect(await texts('-')).toContain('--version');
    expect(await texts('plan -')).not.toContain('--version');
  });

  it.each(['-v', '--verbose', '-H x', '--host x', '--host=x', '-Hx', '--no-color', '--format json'])(
    'that are used are left out: %s',
    async (used) => {
      const before = await texts('plan -');
      const left = await texts(`plan ${used} -`);
      const option = used.replace(/[ =].*|(?<=^-[A-Z])x$/, '');
      expect(before).toContain(option);
      expect(left).not.toContain(option);
      expect(left.length).toBeLessThan(before.length);
      expect(await texts(`${used} plan -`)).toEqual(left);
    },
  );

  it('that may be repeated stay', async () => {
    expect(await texts('events --type step --')).toContain('--type');
  });

  it('and what negates them leave each other out', async () => {
    const tree = describeCommand(new Command('x').option('--colour', 'colours').option('--no-colour', 'none'));
    expect(await texts('-', tree)).toEqual(expect.arrayContaining(['--colour', '--no-colour']));
    expect(await texts('--no-colour -', tree)).toEqual(['-h', '--help']);
  });

  it('are nothing after --, and nothing else is', async () => {
    expect(await ask('plan -- -')).toEqual({ candidates: [], prefix: '', isOpen: false });
    expect(await ask('plan -- ')).toEqual({ candidates: [], prefix: '', isOpen: false });
    expect(await ask('switchover -- ')).toEqual({ candidates: [], prefix: '', isOpen: false });
  });
});

describe('values', () => {
  it.each(['plan --format ', '--format ', 'plan -v --format '])('of a choice: %s', async (line) => {
    expect(await texts(line)).toEqual(['text', 'json']);
  });

  it('follow the option within one word', async () => {
    expect(await ask('plan --format=j')).toMatchObject({
      prefix: '--format=',
      candidates: [{ text: 'text' }, { text: 'json' }],
    });
  });

  it('of an option that takes none, or does not exist, are none', async () => {
    expect(await texts('plan --verbose=')).toEqual([]);
    expect(await texts('plan --nothing=')).toEqual([]);
  });

  it('of an argument with choices', async () => {
    expect(await texts('completion ')).toEqual(['bash', 'zsh', 'fish']);
    expect(await texts('completion bash ')).toEqual([]);
  });

  it('in a list go on after a comma, without those given', async () => {
    const start = await ask('events --type ');
    expect(start).toMatchObject({ prefix: '', isOpen: true });
    expect(start.candidates.map(({ text }) => text)).toEqual(expect.arrayContaining(['step', 'blocked']));
    const next = await ask('events --type=step,bl');
    expect(next).toMatchObject({ prefix: '--type=step,', isOpen: true });
    expect(next.candidates.map(({ text }) => text)).toContain('blocked');
    expect(next.candidates.map(({ text }) => text)).not.toContain('step');
  });

  it('that only a person knows are left to the person', async () => {
    expect(await ask('reconcile --timeout ')).toEqual({ candidates: [], prefix: '', isOpen: false });
    expect(await ask('-H ')).toEqual({ candidates: [], prefix: '', isOpen: false });
  });

  it('that are optional may be left out', async () => {
    const tree = describeCommand(new Command('x').option('--as [node]', 'a name').option('--other', 'other'));
    expect(await texts('--as ', tree)).toEqual(['a-node']);
    expect(await texts('--as -', tree)).toContain('--other');
    expect(await texts('--as --other -', tree)).toEqual(['-h', '--help']);
  });
});

describe('files', () => {
  it.each(['validate ', 'plan shop.yaml ', 'switchover lb1 ', 'reconcile --once -'])(
    'are topologies where the command takes paths: %s',
    async (line) => {
      expect((await ask(line)).files).toBe(line.endsWith('-') ? undefined : 'topologies');
    },
  );

  it('are folders, and follow their option within one word', async () => {
    expect(await ask('status --state-dir ')).toMatchObject({ files: 'folders', prefix: '' });
    expect(await ask('status --state-dir=/v')).toMatchObject({ files: 'folders', prefix: '--state-dir=' });
  });
});

describe('names', () => {
  it.each([
    ['switchover ', 'a-group'],
    ['failover ', 'a-group'],
    ['switchover --to ', 'a-node'],
    ['failover lb1 --to=', 'a-node'],
    ['pause ', 'a-cluster'],
    ['resume shop ', 'a-cluster'],
    ['events ', 'a-cluster'],
  ])('of what the argument or option is called: %s', async (line, name) => {
    expect(await texts(line)).toEqual([name]);
  });

  it('come by themselves for a command that is new', async () => {
    const tree = new Command('x');
    tree.command('exec').argument('<node>').argument('[argument...]').option('--cluster <cluster>', 'of which');
    tree.command('prune').argument('[volume...]');
    expect(await texts('exec ', describeCommand(tree))).toEqual(['a-node']);
    expect(await texts('exec --cluster ', describeCommand(tree))).toEqual(['a-cluster']);
    expect(await texts('exec n1 -- ', describeCommand(tree))).toEqual([]);
    expect(await texts('prune one ', describeCommand(tree))).toEqual(['a-volume']);
  });

  it('that are given are not given again', async () => {
    expect(await texts('pause a-cluster ')).toEqual([]);
  });

  it('are looked for in the paths of the line, at its engine, in its group', async () => {
    expect(await context('switchover ')).toEqual({ paths: [] });
    expect(await context('-H tcp://x switchover lb1 a.yaml --timeout 5 b/ --to ')).toEqual({
      paths: ['a.yaml', 'b/'],
      host: 'tcp://x',
      group: 'lb1',
    });
  });

  it('are looked for in the cluster that an option names', async () => {
    const tree = describeCommand(
      new Command('x')
        .argument('<group>')
        .option('--cluster <cluster>', 'of which')
        .option('--file <path>', 'where', collect),
    );
    expect(await context('--cluster shop --file a --file=b ', tree)).toEqual({ paths: ['a', 'b'], cluster: 'shop' });
  });
});

it('whatever is typed, there is an answer', async () => {
  const words = fc.oneof(
    fc.constantFrom('plan', 'events', 'switchover', '--', '-', '--format', '--type=', '-H', '-vf', '--to', '', '='),
    fc.string(),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(words), async (line) => {
      const { prefix } = await complete(program, line, createSources().sources);
      expect((line.at(-1) ?? '').startsWith(prefix)).toBe(true);
    }),
  );
});
