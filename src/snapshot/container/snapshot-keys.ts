import { encodeName } from '../../contract/names.ts';
import type { SnapshotTableName } from '../../contract/snapshot.ts';

/** The folder of all snapshots in the store of the configuration, with `/` at its end. */
export function snapshotsFolder(prefix: string): string {
  const folder = prefix.replace(/\/+$/, '');
  return `${folder === '' ? '' : `${folder}/`}snapshots/`;
}

/** The folder of one snapshot, with `/` at its end. */
export function snapshotFolder(prefix: string, id: string): string {
  return `${snapshotsFolder(prefix)}${encodeName(id)}/`;
}

/** Where its manifest lies within its folder. */
export const manifestName = 'manifest.json';

/** Where a part of a table lies within the folder. @param number 1 for the first */
export function partName({ schema, table }: SnapshotTableName, number: number): string {
  return `${encodeName(schema)}.${encodeName(table)}/part-${String(number).padStart(4, '0')}.jsonl.gz`;
}

/** Where the metadata of a part lies, which has the form of that of row archives. */
export function partMetadataName(part: string): string {
  return part.replace(/\.jsonl\.gz$/, '.metadata.json');
}

/**
 * Where marked differences lie; no snapshot has such an id.
 *
 * @param name the id of the restore, at whose end they are removed, or another one under which they are kept
 */
export function selectionKey(prefix: string, name: string): string {
  return `${snapshotsFolder(prefix)}.selections/${encodeName(name)}.jsonl`;
}
