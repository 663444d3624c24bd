import { nothingHeard } from '../../src/reconcile/observe.ts';
import { randomBytes } from 'node:crypto';
import { PgherdError } from '../../src/base/error.ts';
import { balancerEntries, balancerRevision, home as balancerHome } from '../../src/balancer/revision.ts';
import type { Engine } from '../../src/docker/engine.ts';
import type { ContainerSpec } from '../../src/docker/types.ts';
import { monitorRole, slotName, type Role } from '../../src/postgres/config.ts';
import { layoutOf } from '../../src/postgres/layout.ts';
import { recordEntries, type GroupRecord } from '../../src/postgres/record.ts';
import { nodeRevision, revisionEntries } from '../../src/postgres/revision.ts';
import { scramVerifier } from '../../src/postgres/scram.ts';
import { bootstrapSql } from '../../src/postgres/sql.ts';
import { allocateAddresses } from '../../src/reconcile/allocate.ts';
import type { GroupContext } from '../../src/reconcile/context.ts';
import { balancerContainer } from '../../src/reconcile/kinds/balancer-spec.ts';
import { nodeContainer } from '../../src/reconcile/kinds/node-spec.ts';
import { clusterLabels, volumeName } from '../../src/reconcile/names.ts';
import type { Topology } from '../../src/topology/model.ts';

/**
 * The floor: what a bring-up cannot be faster than. The calls that pgherd makes to bring up one group, written down one
 * after the other by someone who knows that the engine is empty and that nothing will fail: no look, no plan, no lock,
 * no check, as much at once as the data allow.
 */
export async function bringUpFloor(engine: Engine, topology: Topology): Promise<void> {
  const [group] = topology.groups;
  const [primary, ...replicas] = group.nodes;
  const { network, cluster } = topology;
  const images = { [primary.image]: await engine.inspectImage(primary.image) };
  const layout = layoutOf(images[primary.image]?.volumes ?? []);
  const snapshot = {
    cluster,
    networks: [],
    takenAt: Date.now(),
    otherNetworks: [],
    volumes: [],
    nodes: [],
    balancers: [],
    halfRemoved: [],
    busy: [],
    images,
    taken: [],
    inForce: {},
    ...nothingHeard,
  };
  const addresses = allocateAddresses(topology, snapshot);
  const context: GroupContext = {
    topology,
    group,
    snapshot,
    addresses,
    view: { phase: 'fresh' },
    fingerprint: undefined,
    failed: new Set(),
  };
  const write = addresses.write(group.name);
  const leaderAddress = addresses.node(group.name, 0) ?? '';
  if (write === undefined) throw new Error('the floor needs subnets that are given');
  const labels = clusterLabels(cluster);
  const createNetwork = (name: string, subnet: string | undefined, internal: boolean): Promise<string> =>
    engine.createNetwork({ name, subnet, internal, labels });
  const specs: readonly ContainerSpec[] = group.nodes.map((node) =>
    nodeContainer(topology, group, node, {
      volume: volumeName(cluster, group.name, node.slot, 1),
      layout,
      address: addresses.node(group.name, node.slot) ?? '',
    }),
  );
  await Promise.all([
    createNetwork(network.name, network.subnet, false),
    createNetwork(network.writeName, network.writeSubnet, true),
    ...specs.map(({ volume }) => engine.createVolume(volume?.name ?? '', labels)),
  ]);
  const balancer = balancerContainer(context, addresses.balancer(group.name) ?? '');
  await Promise.all([...specs, balancer].map((spec) => engine.createContainer(spec)));

  const record = makeRecord();
  const ownerOf = async (container: string, user: string): Promise<number> => {
    const passwd = [...((await engine.readArchive(container, '/etc/passwd'))?.values() ?? [])][0] ?? '';
    return Number(
      passwd
        .split('\n')
        .find((line) => line.startsWith(`${user}:`))
        ?.split(':')[2],
    );
  };
  const owner = await ownerOf(primary.containerName, 'postgres');
  const folder = 'pgherd';
  const put = async (
    container: string,
    role: Role,
    node: (typeof group.nodes)[number],
    withRecord: boolean,
  ): Promise<string> => {
    const settings = {
      name: node.name,
      number: node.slot,
      superuser: group.user,
      database: group.database,
      parameters: node.parameters,
      hba: [],
    };
    const revision = nodeRevision({ ...settings, role }, layout);
    const entries = [...(withRecord ? recordEntries(record) : []), ...revisionEntries(revision, role.is !== 'lead')];
    const placed = entries.map((entry) => ({ ...entry, path: `${folder}/${entry.path}` }));
    await engine.writeArchive(
      container,
      layout.mount,
      [{ type: 'directory', path: folder, mode: 0o700 }, ...placed],
      owner,
    );
    return revision.name;
  };
  const run = async (container: string, script: string, input?: string): Promise<string> => {
    const command = ['sh', script, '60'];
    const result = await engine.exec(container, { command, ...(input === undefined ? {} : { input }) });
    if (result.code !== 0) throw new PgherdError('node-failed', `${script} in ${container}: ${result.stderr}`);
    return result.stdout.trim();
  };

  await put(primary.containerName, { is: 'bootstrap' }, primary, true);
  await engine.connectNetwork(network.writeName, primary.containerName, { address: write.leader });
  await engine.connectNetwork(network.writeName, balancer.name, { address: write.balancer });
  await engine.startContainer(primary.containerName);
  const verifier = (password: string): string => scramVerifier(password, randomBytes(16));
  const sql = bootstrapSql({
    superuser: group.user,
    database: group.database,
    followers: replicas.map(({ slot }) => slot),
    verifiers: {
      superuser: verifier(record.secrets.superuser),
      replication: verifier(record.secrets.replication),
      monitor: verifier(record.secrets.monitor),
    },
  });
  const said = await run(primary.containerName, `${layout.home}/config/bootstrap`, sql);
  const system = said.split('\n').at(-1) ?? '';

  const lead = async (): Promise<void> => {
    const revision = await put(
      primary.containerName,
      { is: 'lead', systemIdentifier: system, reign: { leader: 0 } },
      primary,
      false,
    );
    await run(primary.containerName, `${layout.home}/${revision}/apply`);
  };
  const follow = async (node: (typeof group.nodes)[number]): Promise<void> => {
    const role: Role = {
      is: 'follow',
      systemIdentifier: system,
      leaderAddress,
      slot: slotName(node.slot),
      reign: { leader: 0 },
    };
    await put(node.containerName, role, node, true);
    await engine.startContainer(node.containerName);
    await run(node.containerName, `${layout.home}/config/await`);
  };
  const balance = async (): Promise<void> => {
    const config = {
      flavor: group.balancer.flavor,
      writeAddress: write.leader,
      writerWeight: undefined,
      readers: replicas.length,
      parameters: group.balancer.config,
      pcp: false,
    };
    const entries = balancerEntries(balancerRevision(config, 'secrets.1.generated'), {
      superuser: { name: group.user, password: record.secrets.superuser },
      monitor: { name: monitorRole, password: record.secrets.monitor },
    });
    await engine.writeArchive(balancer.name, '/etc', entries, await ownerOf(balancer.name, 'pgbalancer'));
    await engine.startContainer(balancer.name);
    await run(balancer.name, `${balancerHome}/config/await`);
  };
  await Promise.all([lead(), ...replicas.map(follow), balance()]);
}

function makeRecord(): GroupRecord {
  const password = (): string => randomBytes(24).toString('base64url');
  return {
    format: 2,
    epoch: 1,
    version: 1,
    systemIdentifier: undefined,
    leader: 0,
    members: [0],
    secrets: {
      version: 1,
      fingerprint: 'generated',
      superuser: password(),
      replication: password(),
      monitor: password(),
    },
  };
}
