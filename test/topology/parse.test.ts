import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDiagnostic, parseTopology } from '../../src/topology/load.ts';
import type { Node } from '../../src/topology/model.ts';
import { parseSound } from './support.ts';

const plainNode = {
  address: undefined,
  port: undefined,
  image: 'postgres:17',
  hba: [],
  memory: undefined,
  cpus: undefined,
  shmSize: 134_217_728,
  healthcheck: { interval: 10, timeout: 5, retries: 3, startPeriod: 30 },
  restart: 'always',
} satisfies Partial<Node>;

const plainGroup = {
  replication: { mode: 'async', syncReplicas: 1, durability: 'required' },
  failover: { mode: 'automatic', delay: 5, maxLag: undefined },
  rollout: { maxUnavailable: 1, primary: 'switchover' },
};

async function readExample(name: string): Promise<string> {
  return readFile(new URL(`../../examples/${name}`, import.meta.url), 'utf8');
}

describe('a topology file', () => {
  it('in the short form is filled in with defaults', async () => {
    expect(parseSound(await readExample('short.yaml'))).toEqual({
      file: 'topology.yaml',
      cluster: 'shop',
      schemaVersion: 1,
      network: { name: 'shop', subnet: undefined, writeName: 'shop_rw', writeSubnet: undefined },
      bindAddress: '127.0.0.1',
      volumes: { onRemove: 'retain' },
      ignoreChanges: [],
      groups: [
        {
          ...plainGroup,
          name: 'lb1',
          balancer: {
            containerName: 'shop-lb1',
            address: undefined,
            port: 19999,
            pcpPort: undefined,
            restApiPort: undefined,
            image: 'pgbalancer:latest',
            flavor: 'pgbalancer',
            // 200 connections do not hold 32 × 4 × 2, so the pool is smaller
            config: { num_init_children: '32', max_pool: '2' },
            memory: undefined,
            cpus: undefined,
            restart: 'always',
          },
          user: 'postgres',
          database: 'shop',
          password: { from: 'generate' },
          initScripts: [],
          nodes: [
            {
              ...plainNode,
              slot: 0,
              name: 'lb1-primary',
              containerName: 'shop-lb1-primary',
              parameters: { max_connections: '200' },
            },
            {
              ...plainNode,
              slot: 1,
              name: 'lb1-replica1',
              containerName: 'shop-lb1-replica1',
              parameters: { max_connections: '200' },
            },
            {
              ...plainNode,
              slot: 2,
              name: 'lb1-replica2',
              containerName: 'shop-lb1-replica2',
              parameters: { max_connections: '200' },
            },
          ],
        },
      ],
    });
  });

  it(`in the old script's format keeps every name, address and port`, async () => {
    const node = (slot: number, name: string, port: number, address: string) => {
      return { ...plainNode, slot, name, containerName: name, port, address, parameters: { max_connections: '100' } };
    };
    const topology = parseSound(await readExample('old-format.json'), {}, 'old-format.json');
    expect(topology.cluster).toBe('my_cluster');
    expect(topology.network).toEqual({
      name: 'my_net',
      subnet: '172.31.0.0/16',
      writeName: 'my_net_rw',
      writeSubnet: undefined,
    });
    expect(topology.groups).toEqual([
      {
        ...plainGroup,
        name: 'lb1',
        balancer: {
          containerName: 'pgbalancer_lb1',
          address: '172.31.1.10',
          port: 19999,
          pcpPort: 19898,
          restApiPort: 18080,
          image: 'pgbalancer:latest',
          flavor: 'pgbalancer',
          config: { num_init_children: '16', max_pool: '2', load_balance_mode: 'on' },
          memory: undefined,
          cpus: undefined,
          restart: 'always',
        },
        user: 'postgres',
        database: 'postgres',
        password: { from: 'generate' },
        initScripts: [],
        nodes: [
          node(0, 'primary1', 15432, '172.31.1.20'),
          node(1, 'replica1', 15433, '172.31.1.21'),
          node(2, 'replica2', 15434, '172.31.1.22'),
        ],
      },
    ]);
  });

  it(`in the old script's format may hold two groups`, async () => {
    const { groups } = parseSound(await readExample('old-format-two-balancers.json'), {}, 'two.json');
    const shown = groups.map(({ name, nodes }) => [
      name,
      ...nodes.map((node) => [node.slot, node.name, node.containerName, node.port, node.parameters['max_connections']]),
    ]);
    expect(shown).toEqual([
      [
        'lb1',
        [0, 'lb1-primary', 'lb1_primary', 15432, '280'],
        [1, 'lb1-replica1', 'lb1_replica1', 15433, '280'],
        [2, 'lb1-replica2', 'lb1_replica2', 15434, '280'],
      ],
      ['lb2', [0, 'lb2-primary', 'lb2_primary', 25432, '280'], [1, 'lb2-replica1', 'lb2_replica1', 25433, '280']],
    ]);
  });

  it('needs no more than the two names', () => {
    const { cluster, groups } = parseSound('cluster_name: shop\nbalancers: [{ name: lb1 }]\n');
    expect([cluster, groups.length, groups[0].nodes.length]).toEqual(['shop', 1, 1]);
  });
});

describe('settings', () => {
  const layered = `
cluster_name: shop
postgres:
  image: postgres:16
  memory: 512MB
  hba: [host all app 10.0.0.0/8 scram-sha-256]
  parameters: { Work_Mem: 4MB, jit: false, random_page_cost: 1.1 }
  healthcheck: { interval: 500ms, retries: 5 }
balancers:
  - name: lb1
    weight: 0.5
    postgres:
      image: postgres:17
      parameters: { work_mem: 8MB }
      healthcheck: { start_period: 1m30s }
    primary: { cpus: 1.5, hba: [] }
    replicas:
      - { memory: 1g, shm_size: 64 MiB, parameters: { WORK_MEM: 16MB }, healthcheck: { interval: 2 } }
`;
  const { groups } = parseSound(layered);
  const [primary, replica] = groups[0].nodes;

  it('of a node override those of its group, and those the ones at the top', () => {
    expect([primary.image, primary.memory, primary.cpus, primary.hba]).toEqual(['postgres:17', 536_870_912, 1.5, []]);
    expect([replica?.memory, replica?.shmSize, replica?.cpus]).toEqual([1_073_741_824, 67_108_864, undefined]);
    expect(replica?.hba).toEqual(['host all app 10.0.0.0/8 scram-sha-256']);
  });
  it('merge parameters by name, whatever the case, and write values as PostgreSQL reads them', () => {
    expect(primary.parameters).toEqual({
      work_mem: '8MB',
      jit: 'off',
      random_page_cost: '1.1',
      max_connections: '280',
    });
    expect(replica?.parameters['work_mem']).toBe('16MB');
  });
  it('merge the health check key by key', () => {
    expect(primary.healthcheck).toEqual({ interval: 0.5, timeout: 5, retries: 5, startPeriod: 90 });
    expect(replica?.healthcheck.interval).toBe(2);
  });
  it(`of the balancer may give the leader a share of the reads`, () => expect(groups[0].balancer.weight).toBe(0.5));
  it('of failover and rollout override those at the top key by key', () => {
    const { groups } = parseSound(`
cluster_name: shop
failover: { mode: manual, delay: 5s }
rollout: { max_unavailable: 2 }
balancers:
  - name: lb1
    replicas: 3
    failover: { max_lag: 16MB }
    rollout: { primary: restart }
`);
    expect(groups[0].failover).toEqual({ mode: 'manual', delay: 5, maxLag: 16_777_216 });
    expect(groups[0].rollout).toEqual({ maxUnavailable: 2, primary: 'restart' });
  });
});

describe('paths', () => {
  it('start at the directory of the file', () => {
    const text = `
cluster_name: shop
postgres: { password: { file: secrets/pw }, init_scripts: [init/a.sql, /srv/b.sh] }
balancers: [{ name: lb1 }]
`;
    const { groups } = parseSound(text, {}, 'clusters/shop.yaml');
    expect(groups[0].password).toEqual({ from: 'file', path: '/project/clusters/secrets/pw' });
    expect(groups[0].initScripts).toEqual(['/project/clusters/init/a.sql', '/srv/b.sh']);
  });
  it('and a password may come from a variable', () => {
    const { groups } = parseSound('cluster_name: a\npostgres: { password: { env: PW } }\nbalancers: [{ name: lb1 }]\n');
    expect(groups[0].password).toEqual({ from: 'env', name: 'PW' });
  });
});

describe('slots', () => {
  it('of replicas without a node_id are the lowest that are free', () => {
    const { groups } = parseSound(`
cluster_name: shop
balancers:
  - name: lb1
    replicas: [{ host: a }, { node_id: 1, host: b }, { host: c }, { node_id: 3, host: d }]
`);
    expect(groups[0].nodes.map(({ slot, name }) => [slot, name])).toEqual([
      [0, 'lb1-primary'],
      [1, 'b'],
      [2, 'a'],
      [3, 'd'],
      [4, 'c'],
    ]);
  });
});

describe('whatever the text', { timeout: 60_000 }, () => {
  const sample = `
cluster_name: shop
network: { subnet: 172.31.0.0/16 }
postgres: { image: "postgres:17", parameters: { max_connections: 200 }, hba: [host all all samenet md5] }
balancers:
  - &lb { name: lb1, port: 19999, replicas: [{ node_id: 1, ip_address: 172.31.1.21 }, {}] }
  - { name: lb2, config: { max_pool: 2 }, primary: { host: db, memory: 1g } }
`;
  it('nothing is thrown, and every diagnostic can be printed', () => {
    const edit = fc.tuple(fc.nat(sample.length), fc.nat(12), fc.string({ maxLength: 8 }));
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        let text = sample;
        for (const [at, length, insert] of edits) text = text.slice(0, at) + insert + text.slice(at + length);
        const { topology, diagnostics } = parseTopology(text, 'topology.yaml', {});
        for (const diagnostic of diagnostics) formatDiagnostic(diagnostic);
        expect(topology === undefined).toBe(diagnostics.some(({ severity }) => severity === 'error'));
      }),
      { numRuns: 500 },
    );
  });
  it('any value at any place is a diagnostic or a topology', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom('network', 'postgres', 'balancers', 'failover', 'volumes'),
        (value, key) => {
          const file = { cluster_name: 'shop', balancers: [{ name: 'lb1' }], [key]: value };
          const { topology, diagnostics } = parseTopology(JSON.stringify(file), 'topology.json', {});
          expect(topology === undefined).toBe(diagnostics.some(({ severity }) => severity === 'error'));
        },
      ),
      { numRuns: 500 },
    );
  });
});
