import { readArchive } from '../../archive/decompress.ts';
import type { SnapshotPart, SnapshotTable, SnapshotTableName } from '../../contract/snapshot.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { qualifiedName } from '../../postgres/identifier.ts';
import { snapshotFolder } from '../container/snapshot-keys.ts';
import type { SnapshotPlace } from '../container/stored-snapshots.ts';
import type { RowsPart, RowsSource } from './rows-source.ts';
import type { TablePiece } from './table-object.ts';

/** What pieces name a table of a container: unlike its two names joined, no other table has it. */
export function containerTable({ schema, table }: SnapshotTableName): string {
  return qualifiedName(schema, table);
}

/**
 * The rows of a snapshot that Thaw has taken. Each part is compared with both of its checksums in the manifest.
 *
 * @param tables those of the manifest that are wanted
 */
export function containerSource(
  place: Pick<SnapshotPlace, 'prefix'> & { readonly store: Pick<SnapshotPlace['store'], 'open'> },
  id: string,
  tables: readonly SnapshotTable[],
): RowsSource {
  const folder = snapshotFolder(place.prefix, id);
  return {
    encoding: 'pg-text',
    tables: tables.map((table) => ({ name: containerTable(table), rows: table.rows })),
    parts: tables.flatMap((table) =>
      table.parts.map((part): RowsPart => {
        const name = `${folder}${part.key}`;
        return { name, read: (signal) => readPart(place.store, name, part, containerTable(table), signal) };
      }),
    ),
  };
}

async function* readPart(
  store: Pick<SnapshotPlace['store'], 'open'>,
  key: string,
  part: SnapshotPart,
  table: string,
  signal: AbortSignal,
): AsyncGenerator<TablePiece> {
  const body = await store.open(key, { signal });
  const content = readArchive(body.chunks, { digest: true, archive: key });
  for await (const lines of content.chunks) yield { table, lines };
  const { compressedSha256, jsonlSha256 } = content.digests();
  if (compressedSha256 === part.sha256 && jsonlSha256 === part.jsonlSha256) return;
  throw new ThawError('ChecksumMismatch', `${key}: its SHA-256 is not that of the manifest.`, {
    object: key,
    stage: 'decompress',
    hint: 'The file is not what was written. Bring back an earlier version of it, or use another snapshot.',
  });
}
