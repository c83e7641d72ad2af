const units: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kib: 1024,
  kb: 1000,
  m: 1024 ** 2,
  mib: 1024 ** 2,
  mb: 1000 ** 2,
  g: 1024 ** 3,
  gib: 1024 ** 3,
  gb: 1000 ** 3,
};

/** Reads a size such as `4MiB`, `512k` or `1000000`, in bytes; null when it is none. */
export function parseBytes(text: string): number | null {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const factor = units[unit?.toLowerCase() ?? ''];
  if (amount === undefined || factor === undefined) return null;
  return Math.round(Number(amount) * factor);
}
