import type pg from 'pg';
import type copyStreams from 'pg-copy-streams';
import type { TenantPart } from '../contract/snapshot.ts';
import { copyJsonLines } from './extract-models.ts';
import { qualifiedName, quoteIdentifier, quoteLiteral } from './identifier.ts';
import type { TableFacts } from './snapshot-tables.ts';

/**
 * Settings under which PostgreSQL writes values as texts that it reads back as the same values. `lc_monetary` is one
 * that every server has, and with `pg_catalog` alone in the path every other name comes with its schema.
 */
export const textSettings = {
  bytea_output: 'hex',
  datestyle: 'ISO, YMD',
  extra_float_digits: '3',
  intervalstyle: 'postgres',
  lc_monetary: 'C',
  search_path: 'pg_catalog',
  timezone: 'UTC',
} as const;

/** The one moment that several sessions read. */
export interface SharedMoment {
  /** What another session names to see the same. */
  readonly snapshotId: string;
  /** ISO 8601, to the millisecond. */
  readonly at: string;
  /** `X/Y` */
  readonly walLsn: string;
  /** Which transactions are seen, as `pg_current_snapshot()` writes it; null on a standby, where it does not tell all. */
  readonly xactSnapshot: string | null;
  readonly serverVersion: string;
}

/** Begins a transaction for reading; until it has read anything it may still take the moment of another one. */
export async function beginReading(client: pg.ClientBase): Promise<void> {
  await client.query('begin transaction isolation level repeatable read, read only');
  const settings = Object.entries(textSettings).map(
    ([name, value]) => `set local ${name} = ${quoteSetting(value)}`,
  );
  // A policy that would leave rows out unseen is an error.
  await client.query([...settings, 'set local row_security = off'].join('; '));
}

/** A list of settings is one of values, each quoted by itself. */
function quoteSetting(value: string): string {
  return value.split(', ').map(quoteLiteral).join(', ');
}

/** The moment that the transaction sees from now on, for others too while it is open. */
export async function shareMoment(client: pg.ClientBase): Promise<SharedMoment> {
  const { rows } = await client.query<SharedMoment>(
    `select pg_export_snapshot() as "snapshotId",
       to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at,
       (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end)::text as "walLsn",
       case when not pg_is_in_recovery() then pg_current_snapshot()::text end as "xactSnapshot",
       current_setting('server_version') as "serverVersion"`,
  );
  const [moment] = rows;
  if (moment === undefined) throw new Error('PostgreSQL exported no snapshot');
  return moment;
}

/** Has a transaction that has read nothing yet see the moment of another. */
export async function joinMoment(client: pg.ClientBase, snapshotId: string): Promise<void> {
  await client.query(`set transaction snapshot ${quoteLiteral(snapshotId)}`);
}

/** Where a session keeps the tenant's value, as COPY takes no parameters. */
const tenantSetting = 'thaw.tenant';

/** Binds the value that {@link copyPgText} compares with, until the transaction ends. */
export async function bindTenant(client: pg.ClientBase, { value }: TenantPart): Promise<void> {
  await client.query('select set_config($1, $2, true)', [tenantSetting, value]);
}

/** Whether a value can be read as a type, as a cast has it. @throws what PostgreSQL answers where it cannot */
export async function checkTenant(client: pg.ClientBase, castType: string): Promise<void> {
  await client.query(`select current_setting('${tenantSetting}')::${castType}`);
}

/**
 * The rows of a table, each as an object of JSON on a line of its own, whose values are texts as the output functions
 * of their types write them; a cast would drop the blanks of `char(n)` and may be anybody's function.
 *
 * @param tenant only rows of which this column has the bound value
 */
export function copyPgText(
  client: pg.ClientBase,
  table: TableFacts,
  tenant: { readonly column: string; readonly castType: string } | null,
): copyStreams.CopyToStreamQuery {
  const columns = table.columns.map(({ name }) => {
    const column = quoteIdentifier(name);
    return `case when ${column} is distinct from null then concat(${column}) end as ${column}`;
  });
  // Tables that inherit from this one are tables of their own.
  const from = `${table.kind === 'table' ? 'only ' : ''}${qualifiedName(table.schema, table.table)}`;
  const where =
    tenant === null
      ? ''
      : ` where ${quoteIdentifier(tenant.column)} = current_setting('${tenantSetting}')::${tenant.castType}`;
  return copyJsonLines(
    client,
    `select row_to_json(record)::text from (select ${columns.join(', ')} from ${from}${where}) as record`,
  );
}
