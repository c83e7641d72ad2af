/** What an archive's key tells of its origin. */
export interface ArchivePlace {
  readonly database: string;
  readonly table: string;
}

/**
 * Reads database and table out of `{prefix}/{database}/{table}/…`, with or without the prefix; null when the
 * key has fewer parts. Some archives lie a folder deeper, in `{database}/public/{table}/…`.
 */
export function archivePlace(key: string, prefix: string): ArchivePlace | null {
  const inside = prefix !== '' && key.startsWith(`${prefix}/`) ? key.slice(prefix.length + 1) : key;
  const parts = inside.split('/');
  const folders = parts.slice(0, -1);
  const [database, first, second] = folders;
  if (!database || !first) return null;
  const isDeeper = first === 'public' && second !== undefined && !isDatePart(second);
  return { database, table: isDeeper ? second : first };
}

function isDatePart(folder: string): boolean {
  return /^year=\d+$|^\d{4}$/.test(folder);
}
