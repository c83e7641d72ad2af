/**
 * Quotes a name for SQL, always, so that case, spaces and key words need no thought.
 *
 * @throws RangeError when the name is empty or holds a NUL, which PostgreSQL cannot store.
 */
export function quoteIdentifier(name: string): string {
  if (name === '' || name.includes('\0')) {
    throw new RangeError('A name in PostgreSQL is neither empty nor holds a NUL character.');
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/** Quotes `schema.table` for SQL. */
export function qualifiedName(schema: string, table: string): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`;
}

/**
 * Quotes a text for the few statements that take no parameters (DDL, `set`). Needs
 * `standard_conforming_strings`, which every connection of Thaw turns on.
 */
export function quoteLiteral(text: string): string {
  if (text.includes('\0')) {
    throw new RangeError('A text in PostgreSQL holds no NUL character.');
  }
  return `'${text.replaceAll("'", "''")}'`;
}
