import { inArchiveOrder, parseArchiveKey } from '../archive/key.ts';
import { type ArchivedSchema, type ArchiveMetadata, parseMetadata } from '../archive/metadata.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { type FoundArchive, takeInventory } from './inventory.ts';

/** A table as it was, and which archive says so. */
export interface SchemaSource {
  readonly schema: ArchivedSchema;
  readonly key: string;
}

/** Earlier archives whose metadata is read one by one, before the first of the run is tried. */
const maxSteps = 32;

/** The metadata of an archive; null where it has none. @throws ThawError `MetadataInvalid`, or of the store */
export async function readMetadata(
  store: ObjectStore,
  { metadataKey }: FoundArchive,
): Promise<ArchiveMetadata | null> {
  const bytes = metadataKey === null ? null : await store.read(metadataKey);
  return bytes === null || metadataKey === null ? null : parseMetadata(bytes, metadataKey);
}

/**
 * The table as it was when an archive was made. Only the first batch of a run has it, so the nearest
 * earlier archive of the table that has one is asked; null where none has.
 */
export async function findArchivedSchema(
  store: ObjectStore,
  archive: FoundArchive,
  metadata: ArchiveMetadata | null,
): Promise<SchemaSource | null> {
  const own = metadata?.tableSchema ?? null;
  if (own !== null) return { schema: own, key: archive.key };
  const earlier = await earlierArchives(store, archive);
  for (const candidate of [...earlier.slice(0, maxSteps), ...firstOfRun(archive, earlier)]) {
    const found = await readMetadata(store, candidate);
    const isSame = metadata === null || found?.schema === metadata.schema;
    if (isSame && found !== null && found.tableSchema !== null) {
      return { schema: found.tableSchema, key: candidate.key };
    }
  }
  return null;
}

/** The archives of the same table before it, the latest first. */
async function earlierArchives(store: ObjectStore, { key }: FoundArchive): Promise<FoundArchive[]> {
  const days = key.search(/\/(?:year=)?\d{4}\//);
  const folder = key.slice(0, (days === -1 ? key.lastIndexOf('/') : days) + 1);
  const { day } = parseArchiveKey(key);
  const period = { from: null, to: day === null ? null : { day, moment: null } };
  const archives: FoundArchive[] = [];
  for await (const found of takeInventory(store, { folder, period })) {
    if (found.kind === 'archive') archives.push(found);
  }
  const ordered = inArchiveOrder(archives, (each) => each.key);
  return ordered
    .slice(
      0,
      ordered.findIndex((each) => each.key === key),
    )
    .reverse();
}

/** Within a run batches are numbered one after another. */
function firstOfRun({ key }: FoundArchive, earlier: readonly FoundArchive[]): FoundArchive[] {
  let batch = parseArchiveKey(key).batch;
  let first: FoundArchive[] = [];
  for (const candidate of earlier) {
    if (batch === null || parseArchiveKey(candidate.key).batch !== batch - 1) return first;
    batch -= 1;
    first = [candidate];
  }
  return first;
}
