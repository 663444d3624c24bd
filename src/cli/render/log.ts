/** One line of the daemon's log for people: the cluster, what it is about, what is said. */
export function renderLogLine(record: Readonly<Record<string, unknown>>): string {
  const text = (field: string): string | undefined => {
    const value = record[field];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  };
  const { reasons } = record;
  const details = [
    ...(Array.isArray(reasons) ? reasons.map(String) : []),
    ...['holder', 'remedy', 'engine', 'stateDir', 'signal'].flatMap((field) => text(field) ?? []),
  ];
  const condition = text('condition');
  const took = text('milliseconds');
  const parts = [
    text('cluster'),
    text('step'),
    condition === undefined ? undefined : `${condition} is ${text('status') ?? ''}`,
    [text('msg') ?? '', took === undefined ? '' : `(${took} ms)`].filter((part) => part !== '').join(' '),
  ];
  const line = parts.filter((part) => part !== undefined && part !== '').join('  ');
  return details.length === 0 ? line : `${line}: ${details.join('; ')}`;
}
