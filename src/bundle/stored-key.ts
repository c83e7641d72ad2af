/** Where bundles come from that lie in the store. */
export type StoredKind = 'uploads' | 'extracts' | 'fetched';

/**
 * The key of a bundle in the store of the configuration: beside the archives, in a folder that no database and no
 * table has the name of.
 */
export function storedKey(prefix: string, kind: StoredKind, id: string): string {
  const folder = prefix.replace(/\/+$/, '');
  return `${folder === '' ? '' : `${folder}/`}.thaw/${kind}/${id}.zip`;
}
