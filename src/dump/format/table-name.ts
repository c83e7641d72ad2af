/** What needs no quotes. Key words are left bare as well: the name is for people and for comparing, not for SQL. */
const bare = /^[a-z_][a-z0-9_]*$/;

/**
 * `schema.table`, each part quoted where its letters ask for it: what counts of tables are told under, in
 * dumps and in databases alike.
 */
export function tableName(schema: string, table: string): string {
  return `${quoted(schema)}.${quoted(table)}`;
}

/** One name, quoted where its letters ask for it. */
export function quoted(name: string): string {
  return bare.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
