import { dirname, resolve } from 'node:path';
import type { Issue } from './diagnostic.ts';
import type { Environment } from './interpolate.ts';
import type { Path } from './path.ts';
import type { Resolved } from './resolve.ts';
import type { Postgres, TopologyFile } from './types.gen.ts';

type FilesDeps = {
  readonly stat: (path: string) => Promise<{ isFile(): boolean }>;
  readonly env: Environment;
  readonly cwd: string;
};

/**
 * Whether what a file refers to is there. A script that is missing is an error: bootstrap would fail half-way. A
 * password that is missing is a warning: most runs do not need it.
 */
export async function checkFiles(
  content: { raw: TopologyFile; resolved: Resolved },
  deps: FilesDeps,
): Promise<Issue[]> {
  const { raw, resolved } = content;
  const directory = dirname(resolve(deps.cwd, resolved.topology.file));
  const layers: { path: Path; postgres: Postgres | undefined }[] = [
    { path: ['postgres'], postgres: raw.postgres },
    ...raw.balancers.map(({ postgres }, index) => ({ path: ['balancers', index, 'postgres'], postgres })),
  ];
  const issues = await Promise.all(
    layers.map(async ({ path, postgres }) => [
      ...(await checkScripts(path, postgres?.init_scripts ?? [], directory, deps)),
      ...(await checkPassword([...path, 'password'], postgres?.password, directory, deps)),
    ]),
  );
  return issues.flat();
}

async function checkScripts(
  path: Path,
  scripts: readonly string[],
  directory: string,
  deps: FilesDeps,
): Promise<Issue[]> {
  const found = await Promise.all(scripts.map((script) => isFile(resolve(directory, script), deps)));
  return scripts.flatMap((script, index): Issue[] => {
    if (found[index] === true) return [];
    const at = [...path, 'init_scripts', index];
    const hint = `paths start at the directory of the topology file, ${directory}`;
    return [{ path: at, at: 'value', code: 'no-script', message: `there is no script ${script}`, hint }];
  });
}

async function checkPassword(
  path: Path,
  password: Postgres['password'],
  directory: string,
  deps: FilesDeps,
): Promise<Issue[]> {
  const warning = { at: 'value', code: 'no-password', severity: 'warning' } as const;
  if (password?.file !== undefined && !(await isFile(resolve(directory, password.file), deps))) {
    const hint = `paths start at the directory of the topology file, ${directory}`;
    return [{ ...warning, path: [...path, 'file'], message: `there is no file ${password.file}`, hint }];
  }
  if (password?.env !== undefined && (deps.env[password.env] ?? '') === '') {
    return [
      {
        ...warning,
        path: [...path, 'env'],
        message: `the variable ${password.env} is not set`,
        hint: 'set it before the cluster is created',
      },
    ];
  }
  return [];
}

async function isFile(path: string, deps: FilesDeps): Promise<boolean> {
  return deps.stat(path).then(
    (status) => status.isFile(),
    () => false,
  );
}
