import type { Answers } from './answers.ts';

/** A topology file of the answers, with what else it may say in comments; `schema`: where an editor finds the schema. */
export function renderTopology(answers: Answers, schema?: string): string {
  return [
    ...(schema === undefined ? [] : [`# yaml-language-server: $schema=${schema}`]),
    '# A PostgreSQL cluster on Docker. Change this file, look at `pgherd plan`, then `pgherd reconcile --once`.',
    '',
    '# Containers, networks and volumes are named after it.',
    `cluster_name: ${formatText(answers.cluster)}`,
    '',
    ...renderNetwork(answers),
    '',
    'postgres:',
    '  # PostgreSQL 13, 15, 17 or 18 (14 and 16 are not tested); an image that works like the official one.',
    `  image: ${formatText(answers.image)}`,
    '  # Created when the cluster is.',
    `  database: ${formatText(answers.database)}`,
    '  # Without a word, a password is made up once and kept with the data. It never stands in this file:',
    '  # password: { file: secrets/postgres }',
    '  # Settings of postgresql.conf, and limits of each server:',
    '  # parameters: { max_connections: 200, shared_buffers: 256MB }',
    '  # memory: 1GB',
    '  # cpus: 1.5',
    '',
    ...renderReplication(answers),
    '',
    '# Groups: a balancer each, with one primary and its replicas.',
    'balancers:',
    `  - name: ${formatText(answers.balancer)}`,
    '    # Clients connect to this port of the host, 127.0.0.1 unless bind_address says otherwise.',
    `    port: ${formatNumber(answers.port)}`,
    '    # How many copies of the primary, which take reads and its place when it fails.',
    `    replicas: ${formatNumber(answers.replicas)}`,
    '',
  ].join('\n');
}

function renderNetwork({ subnet }: Answers): readonly string[] {
  if (subnet !== '') return ['network:', `  subnet: ${formatText(subnet)}`];
  return ['# The engine chooses a free subnet, unless one stands here:', '# network: { subnet: 172.31.0.0/16 }'];
}

function renderReplication({ mode }: Answers): readonly string[] {
  if (mode === 'async') {
    return [
      '# A commit does not wait for the replicas. With this it waits for one, and is not lost with the primary:',
      '# replication: { mode: quorum, sync_replicas: 1 }',
    ];
  }
  return [
    '# A commit waits until a replica has it, and is not lost with the primary.',
    'replication:',
    '  mode: quorum',
    '  sync_replicas: 1',
  ];
}

/** YAML for a text: in quotes where it could be read as something else, `$` doubled so that it is no variable. */
function formatText(text: string): string {
  const isPlain = /^[a-z][a-z0-9_./:-]*[a-z0-9]$/i.test(text) && !/^(true|false|null|yes|no|on|off)$/i.test(text);
  return isPlain ? text : JSON.stringify(text.replaceAll('$', '$$$$'));
}

/** A whole number as one; anything else as text, for the check to say what is wrong with it. */
function formatNumber(text: string): string {
  return /^(0|-?[1-9][0-9]{0,14})$/.test(text) ? text : formatText(text);
}
