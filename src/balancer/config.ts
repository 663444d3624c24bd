/** Ports of the balancer inside its container. */
export const sqlPort = 9999;
export const pcpPort = 9898;
export const restApiPort = 8080;

/**
 * Where everything that must be written at run time goes: below the tmpfs on /tmp, so that no pid file outlives a kill.
 * (A tmpfs of its own would take the mode of the folder that its first mount leaves behind, and be root's.)
 */
const runFolder = '/tmp/pgherd';

const backendPort = 5432;

export type BalancerConfig = {
  readonly flavor: 'pgbalancer' | 'pgpool';
  /** The group's write address: whoever holds it leads. */
  readonly writeAddress: string;
  /** The share of reads the writer takes where a reader has 1; undefined: 0, or 1 where there are no readers. */
  readonly writerWeight: number | undefined;
  /** How many readers; they are names in the balancer's hosts file. */
  readonly readers: number;
  /** The file's parameters. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Whether PCP is published; it listens inside the container only otherwise. */
  readonly pcp: boolean;
};

/**
 * All parameters of the balancer, by name. The balancer decides nothing by itself: no failover, no health check of its
 * own, one backend that is always the primary. Sources: pgpool-II 4.6 documentation,
 * https://www.pgpool.net/docs/46/en/html/runtime-config.html, and what pgBalancer f97cc3b does with it.
 */
export function balancerParameters(config: BalancerConfig, folder: string): Readonly<Record<string, string>> {
  return {
    num_init_children: '32',
    max_pool: '4',
    load_balance_mode: 'on',
    // Longer than the 3 s after which the kernel gives a dead address up: with less the balancer asks again and again
    // instead of going on without it.
    connect_timeout: '10000',
    child_life_time: '300',
    ...config.parameters,
    backend_clustering_mode: 'streaming_replication',
    listen_addresses: '*',
    port: String(sqlPort),
    unix_socket_directories: runFolder,
    pid_file_name: `${runFolder}/pgbalancer.pid`,
    pcp_listen_addresses: config.pcp ? '*' : 'localhost',
    pcp_port: String(pcpPort),
    pcp_socket_dir: runFolder,
    logdir: runFolder,
    work_dir: runFolder,
    pool_passwd: `${folder}/pool_passwd`,
    enable_pool_hba: 'off',
    allow_clear_text_frontend_auth: 'on',
    failover_on_backend_error: 'off',
    failover_on_backend_shutdown: 'off',
    detach_false_primary: 'off',
    auto_failback: 'off',
    health_check_period: '0',
    sr_check_period: '0',
    use_watchdog: 'off',
    ...backends(config),
  };
}

function backends({ writeAddress, writerWeight, readers }: BalancerConfig): Record<string, string> {
  const parameters: Record<string, string> = {};
  for (let id = 0; id <= readers; id += 1) {
    const isWriter = id === 0;
    parameters[`backend_hostname${String(id)}`] = isWriter ? writeAddress : readerName(id);
    parameters[`backend_port${String(id)}`] = String(backendPort);
    parameters[`backend_weight${String(id)}`] = String(isWriter && readers > 0 ? (writerWeight ?? 0) : 1);
    parameters[`backend_flag${String(id)}`] = isWriter ? 'ALWAYS_PRIMARY|DISALLOW_TO_FAILOVER' : 'DISALLOW_TO_FAILOVER';
  }
  return parameters;
}

/** The name of a reader, from 1. */
export function readerName(id: number): string {
  return `reader${String(id)}`;
}

/** A pgpool.conf of the parameters, sorted. */
export function formatParameters(parameters: Readonly<Record<string, string>>): string {
  const lines = Object.entries(parameters)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`);
  return `# Written by pgherd from the topology file: change it there.\n${lines.join('\n')}\n`;
}

/** The parameters of a file that `formatParameters` wrote. */
export function parseParameters(text: string): Readonly<Record<string, string>> {
  const parameters: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const match = /^(\w+) = '(.*)'$/.exec(line);
    if (match === null) continue;
    const [, name = '', value = ''] = match;
    parameters[name] = value.replaceAll("\\'", "'").replaceAll('\\\\', '\\');
  }
  return parameters;
}
