/** A table by its two names, unquoted. */
export interface TableName {
  readonly schema: string;
  readonly table: string;
}

/** Writes `schema.table`, each quoted where case or characters ask for it: the same table always reads the same. */
export function tableText({ schema, table }: TableName): string {
  return `${nameText(schema)}.${nameText(table)}`;
}

/** Quotes a name where case or characters ask for it. Key words are left alone: this is for people and as a key. */
export function nameText(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

const part = '(?:"(?:[^"]|"")+"|[^".]+)';
const twoParts = new RegExp(`^(${part})\\.(${part})$`, 's');

/** Reads `schema.table` as pg_dump writes it; null where it is none. */
export function parseTableName(text: string): TableName | null {
  const [, schema, table] = twoParts.exec(text) ?? [];
  return schema === undefined || table === undefined
    ? null
    : { schema: unquoted(schema), table: unquoted(table) };
}

/** The same table as {@link tableText} writes it, however its name was quoted. */
export function normalTableText(text: string): string {
  const name = parseTableName(text);
  return name === null ? text : tableText(name);
}

/** A name without its quotes, where it has some. */
export function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
