import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from './support/engine.ts';
import { output, run } from './support/run.ts';

/** A shell that does not answer is stuck; milliseconds. */
const timeoutMs = 60_000;

let folder: string;
let work: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgherd-shells-'));
  work = join(folder, 'work');
  await mkdir(join(folder, 'bin'));
  await mkdir(join(work, 'more'), { recursive: true });
  await symlink(join(ROOT, 'dist/pgherd.js'), join(folder, 'bin/pgherd'));
  await writeFile(join(work, 'topology.yaml'), 'cluster_name: shop\nbalancers: [{ name: lb1, replicas: 1 }]\n');
  await writeFile(join(work, 'my bank.yml'), 'cluster_name: bank\nbalancers: [{ name: main, replicas: 0 }]\n');
  await writeFile(join(work, 'notes.txt'), '');
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Only what the test says decides what completes: no start file of this machine, no engine. */
function environment(): Record<string, string | undefined> {
  return {
    PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_DATA_HOME: join(folder, 'data'),
    DOCKER_HOST: `unix://${folder}/none.sock`,
    TERM: 'dumb',
    LC_ALL: 'C.UTF-8',
  };
}

function pgherd(...args: readonly string[]): Promise<string> {
  return output(process.execPath, [join(ROOT, 'dist/pgherd.js'), ...args]);
}

/** What an interactive shell makes of lines when it inserts all completions; `start` is its start file. */
async function typeLines(shell: 'bash' | 'zsh', start: string, lines: readonly string[]): Promise<readonly string[]> {
  const home = await mkdtemp(join(folder, 'home-'));
  await writeFile(join(home, '.zshrc'), start);
  const command = shell === 'zsh' ? 'zsh -i' : `bash --noprofile --rcfile ${home}/.zshrc -i`;
  const script = join(ROOT, 'test/e2e/fixtures/type-lines.sh');
  const env = { ...environment(), ZDOTDIR: home };
  const answers = await output('zsh', ['-f', script, home, command, ...lines], { cwd: work, env, timeoutMs });
  return answers.trimEnd().split('\n');
}

const bashKeys = `
answer() { printf '%s\\n' "$READLINE_LINE" >"$ZDOTDIR/answers"; READLINE_LINE=''; READLINE_POINT=0; }
bind '"\\C-t": insert-completions'
bind -x '"\\C-o": answer'
PROMPT_COMMAND='printf "ready\\n" >"$ZDOTDIR/answers"; PROMPT_COMMAND='
`;

const zshKeys = `
zstyle ':completion:all:*' completer _all_matches _complete
zstyle ':completion:all:*' insert true
zle -C all complete-word _generic
answer() { print -r -- "$BUFFER" >$ZDOTDIR/answers; BUFFER= }
zle -N answer
bindkey '^T' all
bindkey '^O' answer
zle-line-init() { zle -D zle-line-init; print ready >$ZDOTDIR/answers }
zle -N zle-line-init
`;

/** Lines, and what bash and zsh make of them; names after an option are in no certain order. */
const typed: readonly (readonly [line: string, words: readonly string[]])[] = [
  ['pgherd sw', ['pgherd', 'switchover']],
  ['pgherd dae', ['pgherd', 'daemon']],
  ['pgherd -H unix:///x --no-color sw', ['pgherd', '-H', 'unix:///x', '--no-color', 'switchover']],
  ['pgherd plan --det', ['pgherd', 'plan', '--detailed-exitcode']],
  ['pgherd plan --format ', ['pgherd', 'plan', '--format', 'json', 'text']],
  ['pgherd plan --format=j', ['pgherd', 'plan', '--format=json']],
  ['pgherd events --type step,b', ['pgherd', 'events', '--type', 'step,blocked']],
  ['pgherd events --type=step,b', ['pgherd', 'events', '--type=step,blocked']],
  ['pgherd switchover ', ['pgherd', 'switchover', 'lb1']],
  ['pgherd switchover lb1 --to ', ['pgherd', 'switchover', 'lb1', '--to', 'lb1-primary', 'lb1-replica1']],
  ['pgherd switchover lb1 --to=lb1-r', ['pgherd', 'switchover', 'lb1', '--to=lb1-replica1']],
  [
    'pgherd failover main my\\ bank.yml --to ',
    ['pgherd', 'failover', 'main', 'my\\', 'bank.yml', '--to', 'main-primary'],
  ],
  [
    'pgherd failover main "my bank.yml" --to ',
    ['pgherd', 'failover', 'main', '"my', 'bank.yml"', '--to', 'main-primary'],
  ],
  ['pgherd pause ', ['pgherd', 'pause', 'shop']],
  ['pgherd plan topo', ['pgherd', 'plan', 'topology.yaml']],
  ['pgherd plan my', ['pgherd', 'plan', 'my\\', 'bank.yml']],
  ['pgherd plan ', ['pgherd', 'plan', 'more', 'my\\', 'bank.yml', 'topology.yaml']],
  ['pgherd status --state-dir=m', ['pgherd', 'status', '--state-dir=more']],
  ['pgherd plan -- -', ['pgherd', 'plan', '--', '-']],
  ['pgherd nonsense ', ['pgherd', 'nonsense']],
];

/** The words of a line, sorted from the first that completion gave on: shells have orders of their own. */
function wordsOf(line: string): readonly string[] {
  const words = line
    .replaceAll(/\/(?= |$)/g, '')
    .trim()
    .split(/ +/);
  const last = words.findLastIndex((word) => /^(--to|--format)$/.test(word));
  return last === -1 ? words : [...words.slice(0, last + 1), ...words.slice(last + 1).sort()];
}

async function expectTyped(shell: 'bash' | 'zsh', start: string, expected = typed): Promise<void> {
  const lines = expected.map(([line]) => line);
  const answers = await typeLines(shell, start, lines);
  expect(lines.map((line, index) => [line, wordsOf(answers[index] ?? 'no answer')])).toEqual(expected);
}

/** Enough to see that a script is loaded. */
const few = typed.slice(0, 1);

describe('bash completes', () => {
  it('with nothing but the script, and with its options for careful people', async () => {
    await writeFile(join(folder, 'pgherd.bash'), await pgherd('completion', 'bash'));
    await expectTyped('bash', `set -u\nsource "$HOME/pgherd.bash"\n${bashKeys}`);
  });

  it('with the package bash-completion, which loads the script by itself', async () => {
    const place = join(folder, 'data/bash-completion/completions');
    await mkdir(place, { recursive: true });
    await writeFile(join(place, 'pgherd'), await pgherd('completion', 'bash'));
    await expectTyped('bash', `source /usr/share/bash-completion/bash_completion\n${bashKeys}`, few);
  });
});

describe('zsh completes', () => {
  const compinit = 'autoload -Uz compinit && compinit -u -d $ZDOTDIR/dump\n';

  it('with the script sourced', async () => {
    await writeFile(join(folder, 'pgherd.zsh'), await pgherd('completion', 'zsh'));
    await expectTyped('zsh', `${compinit}source $HOME/pgherd.zsh\n${zshKeys}`);
  });

  it('with the script in a folder of fpath', async () => {
    await mkdir(join(folder, 'zfunc'), { recursive: true });
    await writeFile(join(folder, 'zfunc/_pgherd'), await pgherd('completion', 'zsh'));
    await expectTyped('zsh', `fpath=($HOME/zfunc $fpath)\n${compinit}${zshKeys}`, few);
  });
});

describe('fish completes', () => {
  /** Line by line: the candidates, each with its description after a tab. */
  async function ask(lines: readonly string[]): Promise<readonly (readonly string[])[]> {
    const place = join(folder, 'config/fish/completions');
    await mkdir(place, { recursive: true });
    await writeFile(join(place, 'pgherd.fish'), await pgherd('completion', 'fish'));
    const script = 'for line in $argv; complete -C $line; echo ---; end';
    const { code, stdout, stderr } = await run('fish', ['-c', script, ...lines], {
      cwd: work,
      env: environment(),
      timeoutMs,
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout
      .split('---\n')
      .slice(0, -1)
      .map((text) => text.split('\n').filter((line) => line !== ''));
  }

  const asked: readonly (readonly [line: string, candidates: readonly string[]])[] = [
    ['pgherd sw', ['switchover\thave another node lead a group, without a loss']],
    ['pgherd -H unix:///x --no-color sw', ['switchover\thave another node lead a group, without a loss']],
    ['pgherd plan --det', ['--detailed-exitcode\texit with 2 where something is to be done']],
    ['pgherd plan --format ', ['json', 'text']],
    ['pgherd plan --format=j', ['--format=json']],
    ['pgherd events --type=step,b', ['--type=step,blocked']],
    ['pgherd switchover ', ['lb1\tcluster shop']],
    ['pgherd switchover lb1 --to replica', ['lb1-replica1\tlb1 of shop']],
    ['pgherd failover main my\\ bank.yml --to ', ['main-primary\tmain of bank']],
    ['pgherd failover main "my bank.yml" --to ', ['main-primary\tmain of bank']],
    ['pgherd pause ', ['shop\ttopology.yaml']],
    ['pgherd plan ', ['more/', 'my bank.yml', 'topology.yaml']],
    ['pgherd status --state-dir=m', ['--state-dir=more/']],
    ['pgherd plan -- -', []],
    ['pgherd nonsense ', []],
  ];

  it('with the script among its own', async () => {
    const answers = await ask(asked.map(([line]) => line));
    // Of a folder, it also says what it is.
    const found = answers.map((lines) => lines.map((line) => line.replace(/\/\t.*/, '/')));
    expect(asked.map(([line], index) => [line, found[index]])).toEqual(asked);
  });
});

it.each([
  [
    'bash',
    '-euc',
    'COMP_WORDS=(pgherd s) COMP_CWORD=1 COMP_LINE="pgherd s" COMP_POINT=8; _pgherd; echo "${#COMPREPLY[@]}"',
  ],
  ['fish', '-c', 'complete -C "pgherd s"; echo 0'],
])('the script for %s says nothing where pgherd is gone', async (shell, option, call) => {
  const script = await pgherd('completion', shell);
  const env = { ...environment(), PATH: '/usr/bin:/bin', XDG_CONFIG_HOME: folder };
  const result = await run(shell, [option, `${script}\n${call}`], { cwd: work, env, timeoutMs });
  expect(result).toEqual({ code: 0, stdout: '0\n', stderr: '' });
});
