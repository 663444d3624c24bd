const units = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** Bytes as PostgreSQL writes them, in powers of 1024: `0 B`, `12 kB`, `1.5 GB`. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const text = unit === 0 || value >= 10 ? value.toFixed(0) : value.toFixed(1);
  return `${text} ${units[unit] ?? ''}`;
}
