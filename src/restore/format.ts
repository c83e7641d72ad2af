const counted = new Intl.NumberFormat('en-US');
const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** A count for people: `1,035,000`. */
export function formatCount(count: number): string {
  return counted.format(count);
}

/** A count of things for people: `1 table`, `1,035 tables`. */
export function formatCounted(count: number, thing: string): string {
  return `${formatCount(count)} ${thing}${count === 1 ? '' : 's'}`;
}

/** A size for people: `34.2 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const step = Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1);
  return `${(bytes / 1024 ** step).toFixed(1)} ${units[step]}`;
}
