import { ThawError } from '../../contract/thaw-error.ts';

/** A table that is asked for; without a schema it is any of that name. */
export interface PartTable {
  readonly schema: string | null;
  readonly table: string;
}

const part = '"(?:[^"]|"")+"|[^".]+';
const names = new RegExp(`^(?:(${part})\\.)?(${part})$`, 's');

/**
 * Reads `table` or `schema.table`. Names are taken as they are, upper case too; quotation marks are needed
 * only where a name itself has a dot or a quotation mark.
 *
 * @throws ThawError `InputInvalid` for anything else
 */
export function parsePartTable(text: string): PartTable {
  const [, schema, table] = names.exec(text) ?? [];
  if (table !== undefined) {
    return { schema: schema === undefined ? null : unquoted(schema), table: unquoted(table) };
  }
  throw new ThawError('InputInvalid', `${text} is no name of a table`, {
    object: text,
    hint: 'Write table or schema.table; a name that has a dot stands in quotation marks: schema."my.table".',
  });
}

/** Writes a name of a table so that {@link parsePartTable} reads it as one without schema. */
export function partTableText(table: string): string {
  return /[".]/.test(table) ? `"${table.replaceAll('"', '""')}"` : table;
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
