/**
 * Labels on every resource of pgherd. They cannot change on a live resource, so `spec` holds exactly the fields whose
 * change means that the resource is made anew; everything else is compared with what the engine and the volume say.
 */
export const labelNames = {
  cluster: 'pgherd.cluster',
  group: 'pgherd.group',
  /** The slot of a node. */
  node: 'pgherd.node',
  kind: 'pgherd.kind',
  /** Canonical JSON, no secrets. */
  spec: 'pgherd.spec',
  specVersion: 'pgherd.spec-version',
  /** On a network: whether pgherd chose its subnet (`chosen`), asks the engine for one (`probe`), or the file (`given`). */
  subnet: 'pgherd.subnet',
} as const;

export type ResourceKind = 'network' | 'write-network' | 'volume' | 'node' | 'balancer' | 'lock';

const specVersion = '1';

export type LabelValues = {
  readonly cluster: string;
  readonly kind: ResourceKind;
  readonly group?: string;
  readonly slot?: number;
  readonly spec?: string;
};

export function formatLabels({ cluster, kind, group, slot, spec }: LabelValues): Readonly<Record<string, string>> {
  return {
    [labelNames.cluster]: cluster,
    [labelNames.kind]: kind,
    [labelNames.specVersion]: specVersion,
    ...(group === undefined ? {} : { [labelNames.group]: group }),
    ...(slot === undefined ? {} : { [labelNames.node]: String(slot) }),
    ...(spec === undefined ? {} : { [labelNames.spec]: spec }),
  };
}

/** The labels that all resources of a cluster bear. */
export function clusterLabels(cluster: string): Readonly<Record<string, string>> {
  return { [labelNames.cluster]: cluster };
}

/** The slot a label names, undefined where there is none. */
export function readSlot(labels: Readonly<Record<string, string>>): number | undefined {
  const text = labels[labelNames.node];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** `<cluster>_<group>_<slot>_<generation>`: a re-clone goes into a new generation, nothing is ever overwritten. */
export function volumeName(cluster: string, group: string, slot: number, generation: number): string {
  return [cluster, group, String(slot), String(generation)].join('_');
}

/** The generation that ends a volume's name, 0 where it names none. */
export function readGeneration(name: string): number {
  return Number(/_(\d+)$/.exec(name)?.[1] ?? 0);
}

export function lockName(cluster: string): string {
  return `pgherd-lock-${cluster}`;
}

export function nodeResource(name: string): string {
  return `node/${name}`;
}

export function balancerResource(group: string): string {
  return `balancer/${group}`;
}

export function networkResource(name: string): string {
  return `network/${name}`;
}

export function volumeResource(name: string): string {
  return `volume/${name}`;
}

export function imageResource(image: string): string {
  return `image/${image}`;
}

export function groupResource(group: string): string {
  return `group/${group}`;
}
