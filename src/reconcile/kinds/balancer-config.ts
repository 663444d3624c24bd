import { parseParameters, type BalancerConfig } from '../../balancer/config.ts';
import { balancerRevision, type BalancerRevision } from '../../balancer/revision.ts';
import type { Container } from '../../docker/types.ts';
import { formatSecretsName } from '../../postgres/layout.ts';
import type { GroupContext } from '../context.ts';
import type { FieldChange } from '../plan.ts';

/** What a balancer is to be told, undefined while its write address is not known. */
export function wantedConfig({ addresses, group }: GroupContext): BalancerConfig | undefined {
  const write = addresses.write(group.name);
  if (write === undefined) return undefined;
  const { balancer } = group;
  return {
    flavor: balancer.flavor,
    writeAddress: write.leader,
    writerWeight: balancer.weight,
    readers: group.nodes.length - 1,
    parameters: balancer.config,
    pcp: balancer.pcpPort !== undefined,
  };
}

/** The revision a balancer is to have, undefined while nobody can know. */
export function wantedRevision(context: GroupContext): BalancerRevision | undefined {
  const config = wantedConfig(context);
  if (config === undefined || context.view.phase !== 'led') return undefined;
  return balancerRevision(config, secretsName(context));
}

/** Names the passwords in force. */
export function secretsName({ view }: GroupContext): string {
  const secrets = view.phase === 'led' ? view.source.facts.secrets : undefined;
  return secrets === undefined ? '' : formatSecretsName(secrets);
}

/** The parameters that differ from what is in force, where that was read. */
export function parameterFields(
  context: GroupContext,
  container: Container,
  wanted: BalancerRevision,
): readonly FieldChange[] {
  const live = context.snapshot.inForce[container.id];
  if (live === undefined) return [];
  const before = parseParameters(live['pgbalancer.conf'] ?? '');
  const backends = countBackends(before);
  const wantedBackends = countBackends(wanted.parameters);
  const readers: readonly FieldChange[] =
    backends === wantedBackends
      ? []
      : [{ path: 'readers', before: String(backends - 1), after: String(wantedBackends - 1), effect: 'restart' }];
  const names = [...new Set([...Object.keys(before), ...Object.keys(wanted.parameters)])].sort();
  // A backend more or less is several parameters; what a reader wants to know is how many there are.
  const parameters = names
    .filter((name) => before[name] !== wanted.parameters[name])
    .filter((name) => backends === wantedBackends || !name.startsWith('backend_'))
    .map((name): FieldChange => ({
      path: `config.${name}`,
      before: before[name],
      after: wanted.parameters[name],
      effect: 'restart',
    }));
  return [...readers, ...parameters];
}

function countBackends(parameters: Readonly<Record<string, string>>): number {
  return Object.keys(parameters).filter((name) => name.startsWith('backend_hostname')).length;
}
