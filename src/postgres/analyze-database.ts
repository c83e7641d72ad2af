import type pg from 'pg';

/** What came of analyzing a database. */
export interface Analyzed {
  /** Tables and materialized views that the planner knows something of. */
  readonly tables: number;
  /** Those that it knows nothing of: they belong to others. */
  readonly left: readonly string[];
}

/**
 * Gathers statistics of all tables that the user may analyze; a restored database has none. Call it outside a
 * transaction.
 */
export async function analyzeDatabase(client: pg.Client): Promise<Analyzed> {
  await client.query('analyze');
  // Since PostgreSQL 14 a table that nothing is known of has -1 rows.
  const { rows } = await client.query<{ name: string; known: boolean }>(
    `select quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name, c.reltuples >= 0 as known
     from pg_class c
     join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'm') and c.relpersistence <> 't'
       and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
     order by 1`,
  );
  const left = rows.filter(({ known }) => !known).map(({ name }) => name);
  return { tables: rows.length - left.length, left };
}
