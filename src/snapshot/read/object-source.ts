import { readArchive } from '../../archive/decompress.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ArchiveStore } from '../../store/object-store.ts';
import type { RowsSource, SourceTable } from './rows-source.ts';
import { TableObject, type TablePiece } from './table-object.ts';

/** What is in a backup of the source system, `{tenant}/{job}-backup.json`, now that it was gone through once. */
export interface InspectedObject {
  readonly key: string;
  readonly etag: string;
  /** Of the object as it lies there, in lower-case hexadecimal. */
  readonly sha256: string;
  /** In the order of the object; it has those without rows only where its writer put them there. */
  readonly tables: readonly SourceTable[];
}

/**
 * Goes through an object of tables, plain or compressed, to know what it holds: its tables are found nowhere else.
 *
 * @throws ThawError `ArchiveCorrupt` for what is no such object or is cut short; those of the store
 */
export async function inspectObject(
  store: Pick<ArchiveStore, 'open'>,
  key: string,
  signal: AbortSignal,
): Promise<InspectedObject> {
  const { chunks, etag } = await store.open(key, { signal });
  const content = readArchive(chunks, { digest: true, archive: key });
  const object = new TableObject(key);
  for await (const chunk of content.chunks) object.push(chunk);
  object.end();
  const tables = [...object.tables].map(([name, rows]) => ({ name, rows }));
  return { key, etag, sha256: content.digests().compressedSha256 ?? '', tables };
}

/** The rows of an object that was inspected; one that was replaced meanwhile is refused (`ArchiveChanged`). */
export function objectSource(store: Pick<ArchiveStore, 'open'>, inspected: InspectedObject): RowsSource {
  const { key, tables } = inspected;
  return {
    encoding: 'to_jsonb',
    tables,
    parts: [{ name: key, read: (signal) => readObject(store, inspected, signal) }],
  };
}

async function* readObject(
  store: Pick<ArchiveStore, 'open'>,
  { key, etag, sha256 }: InspectedObject,
  signal: AbortSignal,
): AsyncGenerator<TablePiece> {
  const { chunks } = await store.open(key, { etag, signal });
  const content = readArchive(chunks, { digest: true, archive: key });
  const object = new TableObject(key);
  for await (const chunk of content.chunks) yield* object.push(chunk);
  object.end();
  if (content.digests().compressedSha256 === sha256) return;
  throw new ThawError('ArchiveChanged', `${key}: it is not what it was when it was inspected.`, {
    object: key,
    stage: 'download',
  });
}
