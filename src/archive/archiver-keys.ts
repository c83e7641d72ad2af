/**
 * The keys that the archiver adds to every record, over those of columns of the same names: what such a
 * column held is in no archive.
 */
export const archiverKeys: ReadonlySet<string> = new Set([
  '_archived_at',
  '_batch_id',
  '_source_database',
  '_source_table',
]);
