import { readArchive } from '../../archive/decompress.ts';
import { type JsonValue, readValue } from '../../archive/json-value.ts';
import type { ArchiveMetadata } from '../../archive/metadata.ts';
import { RecordReader } from '../../export/record-reader.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { findArchivedSchema, readMetadata, type SchemaSource } from '../../validate/archived-schema.ts';
import type { FoundArchive } from '../../validate/inventory.ts';

/** A value of a record: how it is archived, and what that means. */
export interface PeekedValue {
  readonly key: string;
  /** The JSON as it stands in the archive, `NaN` and `Infinity` of Python included. */
  readonly lexeme: string;
  readonly value: JsonValue;
}

/** What can be seen of an archive without reading all of it. */
export interface ArchivePeek {
  readonly archive: FoundArchive;
  readonly metadata: ArchiveMetadata | null;
  readonly schema: SchemaSource | null;
  /** The archiver's own columns, as the first record has them. */
  readonly archiver: readonly PeekedValue[];
  /** The first records, without them. */
  readonly records: readonly (readonly PeekedValue[])[];
}

/**
 * Looks at how an archive begins.
 *
 * @throws ThawError `MetadataInvalid`, `ArchiveCorrupt` where it is damaged so early, and what the store throws
 */
export async function peekArchive(
  store: ObjectStore,
  archive: FoundArchive,
  count: number,
): Promise<ArchivePeek> {
  const metadata = await readMetadata(store, archive);
  const schema = await findArchivedSchema(store, archive, metadata);
  const records = await firstRecords(store, archive, Math.max(count, 1));
  return {
    ...{ archive, metadata, schema },
    archiver: (records[0] ?? []).filter(({ isArchivers }) => isArchivers),
    records: records.slice(0, count).map((record) => record.filter(({ isArchivers }) => !isArchivers)),
  };
}

type RecordValue = PeekedValue & { readonly isArchivers: boolean };

async function firstRecords(
  store: ObjectStore,
  { key, etag }: FoundArchive,
  count: number,
): Promise<RecordValue[][]> {
  const records: RecordValue[][] = [];
  const reader = new RecordReader(key);
  const take = (...[json, parts]: Parameters<Parameters<RecordReader['push']>[1]>): void => {
    if (records.length === count) return;
    records.push(
      parts.fields.map(({ key: name, constant }, place) => {
        const start = parts.valueStarts[place] ?? 0;
        const lexeme = json.toString('utf8', start, parts.valueEnds[place]);
        return { key: name, lexeme, value: readValue(json, start).value, isArchivers: constant };
      }),
    );
  };
  const body = await store.open(key, { etag });
  for await (const chunk of readArchive(body.chunks, { archive: key, digest: false }).chunks) {
    reader.push(chunk, take);
    if (records.length === count) return records;
  }
  reader.end(take);
  return records;
}
