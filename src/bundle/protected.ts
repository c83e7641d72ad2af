/** Models in which the source system keeps books of itself: an extract of everything holds them too. */
const bookkeeping: ReadonlySet<string> = new Set([
  'models',
  'fields',
  'schemas',
  'columns',
  'extracts',
  'extract_runs',
  'extract_artifacts',
  'restores',
  'restore_runs',
  'restore_logs',
]);

/** Tells whether a model is one that no bundle may write: the source system's own. */
export function isProtectedModel(model: string): boolean {
  return bookkeeping.has(model);
}

/** Tells whether a schema is one that no bundle may write: Thaw's own and those of PostgreSQL. */
export function isProtectedSchema(schema: string): boolean {
  return (
    schema === 'thaw' ||
    schema === 'thaw_api' ||
    schema === 'information_schema' ||
    schema.toLowerCase().startsWith('pg_')
  );
}
