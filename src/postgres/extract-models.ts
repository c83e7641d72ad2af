import type pg from 'pg';
import copyStreams from 'pg-copy-streams';
import { qualifiedName, quoteIdentifier } from './identifier.ts';

/** A column as the catalog has it. */
export interface CatalogField {
  readonly model: string;
  readonly modelComment: string | null;
  readonly name: string;
  /** As `format_type` writes it, without modifier; the base type of a domain. */
  readonly type: string;
  readonly required: boolean;
  /** The expression; null where it has none, or is generated. */
  readonly default: string | null;
  readonly comment: string | null;
  readonly unique: boolean;
  readonly index: boolean;
  /** The labels of its enum type. */
  readonly labels: readonly string[] | null;
  /** Definitions of the checks that are about it alone. */
  readonly checks: readonly string[];
  readonly reference: { readonly model: string; readonly field: string; readonly cascade: boolean } | null;
}

/** The columns of all tables of a schema, in their order. */
export async function readCatalogFields(client: pg.ClientBase, schema: string): Promise<CatalogField[]> {
  const { rows } = await client.query<CatalogField>(
    `select c.relname as model, obj_description(c.oid, 'pg_class') as "modelComment", a.attname as name,
       format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null) as type,
       a.attnotnull as required,
       case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end as default,
       col_description(c.oid, a.attnum) as comment,
       exists (select from pg_index i where i.indrelid = c.oid and i.indisunique and i.indpred is null
         and i.indnkeyatts = 1 and i.indkey[0] = a.attnum) as unique,
       exists (select from pg_index i where i.indrelid = c.oid and not i.indisunique and i.indpred is null
         and i.indnkeyatts = 1 and i.indkey[0] = a.attnum) as index,
       (select array_agg(e.enumlabel::text order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid) as labels,
       array(select pg_get_constraintdef(k.oid) from pg_constraint k
         where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum] order by k.oid) as checks,
       (select jsonb_build_object('model', parent.relname, 'field', p.attname, 'cascade', k.confdeltype = 'c')
         from pg_constraint k
         join pg_class parent on parent.oid = k.confrelid and parent.relnamespace = c.relnamespace
         join pg_attribute p on p.attrelid = k.confrelid and p.attnum = k.confkey[1]
         where k.conrelid = c.oid and k.contype = 'f' and k.conkey = array[a.attnum] limit 1) as reference
     from pg_class c
     join pg_namespace n on n.oid = c.relnamespace
     join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     join pg_type t on t.oid = a.atttypid
     left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
     where n.nspname = $1 and c.relkind in ('r', 'p') and not c.relispartition
     order by c.relname, a.attnum`,
    [schema],
  );
  return rows;
}

/** A column whose values are to be written. */
export type WrittenField = Pick<CatalogField, 'name' | 'type'>;

/** The rows of a table, each as an object of JSON on a line of its own. */
export function copyRows(
  client: pg.Client,
  schema: string,
  table: string,
  fields: readonly WrittenField[],
): copyStreams.CopyToStreamQuery {
  const columns = fields.map(
    ({ name, type }) => `${written(quoteIdentifier(name), type)} as ${quoteIdentifier(name)}`,
  );
  return copyJsonLines(
    client,
    `select row_to_json(record)::text from (select ${columns.join(', ')} from ${qualifiedName(schema, table)}) as record`,
  );
}

/**
 * What a query of one column gives, JSON without line breaks, a line each. PostgreSQL writes every control character
 * of JSON as an escape, so that a CSV whose quote and delimiter are such characters has neither in it.
 */
export function copyJsonLines(client: pg.ClientBase, query: string): copyStreams.CopyToStreamQuery {
  return client.query(
    copyStreams.to(`copy (${query}) to stdout (format csv, quote e'\\x01', delimiter e'\\x02')`),
  );
}

/** Bytes go as base64, and a line break within `json` would end the line. */
function written(column: string, type: string): string {
  if (type === 'bytea') return `translate(encode(${column}, 'base64'), e'\\n', '')`;
  return type === 'json' ? `${column}::jsonb` : column;
}
