import type pg from 'pg';
import type { TenantPart } from '../../../src/contract/snapshot.ts';
import type { ReplayReport } from '../../../src/contract/snapshot-replay.ts';
import { readTarget } from '../../../src/postgres/catalog.ts';
import { qualifiedName } from '../../../src/postgres/identifier.ts';
import { stageColumns } from '../../../src/postgres/snapshot-stage.ts';
import { type ReplayTable, replayLog } from '../../../src/snapshot/replay/replay-log.ts';

/** A snapshot of one table that is kept in a table of the schema `base`. */
export interface Base {
  readonly after: string;
  readonly xactSnapshot: string | null;
}

/** What a log is to be like. */
export interface LogShape {
  /** It has a column that counts entries. */
  readonly counted: boolean;
  /** Images tell of changed columns and the key alone. */
  readonly partial: boolean;
}

/** Makes a log as the source system does, and the function that writes it. */
export function logSql({ counted, partial }: LogShape): string {
  const changed = (image: string, other: string) =>
    partial
      ? `(select jsonb_object_agg(key, value) from jsonb_each(to_jsonb(${image}))
          where key = 'id' or value::text is distinct from (to_jsonb(${other}) -> key)::text)`
      : `to_jsonb(${image})`;
  return `
    create table backup_transaction_logs (
      id uuid primary key default gen_random_uuid(), tenant_id uuid, table_name text, operation text, record_id text,
      old_data jsonb, new_data jsonb, changed_by text, changed_at timestamptz not null default now(),
      backup_job_id uuid, metadata jsonb ${counted ? ', number bigint generated always as identity' : ''});
    create function write_log() returns trigger language plpgsql as $$
    begin
      insert into backup_transaction_logs (table_name, operation, record_id, old_data, new_data)
      select tg_table_name, tg_op, case tg_op when 'DELETE' then old.id::text else new.id::text end,
        case tg_op when 'UPDATE' then ${changed('old', 'new')} when 'DELETE' then to_jsonb(old) end,
        case tg_op when 'UPDATE' then ${changed('new', 'old')} when 'INSERT' then to_jsonb(new) end;
      return null;
    end $$`;
}

/** Has a table of `public` write the log. */
export function logTable(table: string): string {
  return `create trigger write_log after insert or update or delete on ${table}
    for each row execute function write_log()`;
}

/** Keeps what tables hold as the snapshot of this moment. */
export async function takeBase(client: pg.Client, tables: readonly string[]): Promise<Base> {
  await client.query('begin isolation level repeatable read');
  const { rows } = await client.query<Base>(
    `select clock_timestamp()::text as after, pg_current_snapshot()::text as "xactSnapshot"`,
  );
  await client.query('create schema if not exists base');
  for (const table of tables) {
    await client.query(
      `drop table if exists base.${table}; create table base.${table} as table public.${table}`,
    );
  }
  await client.query('commit');
  return rows[0] ?? { after: '', xactSnapshot: null };
}

/** Stages the snapshot of `public` tables in the schema `stage`. */
export async function stageBase(
  client: pg.Client,
  tables: readonly string[],
  tenant: TenantPart | null = null,
): Promise<ReplayTable[]> {
  await client.query('drop schema if exists stage cascade; create schema stage');
  const staged: ReplayTable[] = [];
  for (const table of tables) {
    const target = await readTarget(client, 'public', table);
    const columns = stageColumns(target);
    const names = columns.map(({ name }) => `"${name}"`).join(', ');
    await client.query(
      `create table ${qualifiedName('stage', table)} as select ${names} from ${qualifiedName('base', table)}`,
    );
    staged.push({
      ...{ target, columns, tenant, newerBy: null, dropped: new Map() },
      ...{ stage: { schema: 'stage', table }, rows: 0 },
    });
  }
  return staged;
}

/** What a replay did. */
export interface ReplayedSite extends Omit<ReplayReport, 'tables'> {
  readonly changes: ReplayReport['tables'];
  readonly tables: readonly ReplayTable[];
}

/** Replays the log over the snapshot of tables, in the schema `stage`. */
export async function replayTo(
  client: pg.Client,
  tables: readonly string[],
  base: Base,
  until: string,
  more: Partial<Parameters<typeof replayLog>[2]> & { readonly tenant?: TenantPart | null } = {},
): Promise<ReplayedSite> {
  const { tenant = null, ...options } = more;
  const { staged, report } = await replayLog(client, await stageBase(client, tables, tenant), {
    ...{ log: { schema: 'public', table: 'backup_transaction_logs' }, ...base, to: until, exact: true },
    ...{ acceptFaults: false, signal: new AbortController().signal, ...options },
  });
  return { ...report, changes: report.tables, tables: staged };
}
