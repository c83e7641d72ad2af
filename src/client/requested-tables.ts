import type { DatabaseConfig, TableConfig } from '../config/thaw-config.ts';
import type { TableRequest } from '../contract/restore-request.ts';
import { type FieldNaming, fieldError, type RestoreInput } from './restore-input.ts';

const defaultSchema = 'public';

/**
 * The tables that a request names, each with where its rows go; null: every one configured, as it stands.
 *
 * @throws ThawError `InputInvalid` when they cannot be told apart
 */
export function requestedTables(
  input: RestoreInput,
  database: DatabaseConfig,
  naming: FieldNaming,
): readonly TableRequest[] | null {
  const named = input.tables ?? (input.table === undefined ? [] : [input.table]);
  if (named.length === 0 && database.tables.length === 0) {
    throw fieldError(naming('table'), `is required, as no table of ${database.name} is configured`);
  }
  if (named.length === 0 && input.schema === undefined && input.into_table === undefined) return null;
  const asked =
    named.length > 0 ? named : database.tables.map(({ name, schema }) => ({ table: name, schema }));
  const tables = asked.map((each) => tableRequest(each, input, database, naming));
  refuseSameTarget(tables, naming);
  return tables;
}

/** One table as a request names it, with what holds for all of them filled in. */
function tableRequest(
  asked: NonNullable<RestoreInput['tables']>[number],
  input: RestoreInput,
  database: DatabaseConfig,
  naming: FieldNaming,
): TableRequest {
  const each = typeof asked === 'string' ? { table: asked } : asked;
  const into = each.into_schema ?? input.schema;
  const schema = each.schema ?? archivedSchema(each.table, into, database.tables, naming);
  return {
    table: each.table,
    schema,
    intoSchema: into ?? schema,
    intoTable: each.into_table ?? input.into_table ?? each.table,
  };
}

/**
 * The schema that a table was archived from: the configured one. Where tables of the same name are configured
 * in several schemas, the one that the rows go into tells which is meant.
 */
export function archivedSchema(
  table: string,
  into: string | undefined,
  configured: readonly TableConfig[],
  naming: FieldNaming,
): string {
  const schemas = configured.filter(({ name }) => name === table).map(({ schema }) => schema);
  const [first, second] = schemas;
  if (second === undefined) return first ?? defaultSchema;
  if (into !== undefined && schemas.includes(into)) return into;
  throw fieldError(
    naming('schema'),
    `must be one of those that ${table} is configured in: ${schemas.join(', ')}`,
    into,
  );
}

/** @throws ThawError `InputInvalid` when two tables go into one, or one is named twice */
export function refuseSameTarget(tables: readonly TableRequest[], naming: FieldNaming): void {
  const seen = new Set<string>();
  for (const { intoSchema, intoTable } of tables) {
    const target = `${intoSchema}.${intoTable}`;
    if (seen.has(target)) {
      throw fieldError(naming('tables'), 'must go into different tables', target);
    }
    seen.add(target);
  }
}
