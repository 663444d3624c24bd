import { basename, dirname, extname } from 'node:path';
import { parseTopology } from '../../topology/parse.ts';
import { renderTopology } from './template.ts';

/** What a new topology is made from: texts as a person types them, right or wrong. */
export type Answers = {
  readonly cluster: string;
  readonly balancer: string;
  readonly port: string;
  readonly replicas: string;
  readonly image: string;
  readonly database: string;
  /** Empty: the engine chooses. */
  readonly subnet: string;
  readonly mode: 'async' | 'quorum';
};

/** Where an answer stands in the file. */
const fields: Readonly<Record<keyof Answers, string>> = {
  cluster: 'cluster_name',
  balancer: 'balancers[0].name',
  port: 'balancers[0].port',
  replicas: 'balancers[0].replicas',
  image: 'postgres.image',
  database: 'postgres.database',
  subnet: 'network.subnet',
  mode: 'replication',
};

/** Defaults for a file; the cluster is called like the file, or the folder of a file with the usual name. */
export function findDefaults(path: string): Answers {
  const stem = basename(path, extname(path));
  const defaults = {
    cluster: 'shop',
    balancer: 'lb1',
    port: '19999',
    replicas: '2',
    image: 'postgres:17',
    database: 'postgres',
    subnet: '',
    mode: 'async',
  } as const;
  const named = { ...defaults, cluster: stem === 'topology' ? basename(dirname(path)) : stem };
  return findProblems(named).length === 0 ? named : defaults;
}

export type Problem = {
  /** The answer that is wrong; absent where it is none alone. */
  readonly answer?: keyof Answers;
  /** What `validate` would say. */
  readonly message: string;
};

/** What is wrong with a file of these answers, as `validate` says it. */
export function findProblems(answers: Answers): readonly Problem[] {
  const { diagnostics } = parseTopology(renderTopology(answers), 'topology.yaml', {});
  return diagnostics.map(({ path, message, hint }) => {
    const [answer] = answerNames.filter((name) => path === fields[name] || path.startsWith(`${fields[name]}.`));
    return {
      ...(answer === undefined ? {} : { answer }),
      message: hint === undefined ? message : `${message} (${hint})`,
    };
  });
}

const answerNames: readonly (keyof Answers)[] = [
  'cluster',
  'balancer',
  'port',
  'replicas',
  'image',
  'database',
  'subnet',
  'mode',
];
