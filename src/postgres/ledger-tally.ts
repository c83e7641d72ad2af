import type pg from 'pg';
import type { CommittedTally } from '../contract/activities.ts';
import { type ArchiveFailure, maxFailuresKept } from '../contract/outcome.ts';

/** Adds up what a restore has committed of a table. */
export async function readLedgerTally(
  client: pg.Client,
  restoreId: string,
  oid: number,
): Promise<CommittedTally> {
  const { rows } = await client.query<TallyRow>(
    `select count(*) filter (where state = 'restored') as restored, count(*) filter (where state = 'failed') as failed,
       coalesce(sum(inserted) filter (where state = 'restored'), 0)::bigint as inserted,
       coalesce(sum(updated) filter (where state = 'restored'), 0)::bigint as updated,
       coalesce(sum(skipped) filter (where state = 'restored'), 0)::bigint as skipped,
       coalesce(sum(case state when 'failed' then rows when 'restored' then rejected end), 0)::bigint as lost,
       coalesce(sum(bytes), 0)::bigint as bytes,
       (select json_object_agg(foreign_schema, archives) from (
         select foreign_schema, count(*) as archives from thaw.archives
         where restore_id = $1 and target_oid = $2 and state = 'foreign' group by foreign_schema) as others) as others
     from thaw.archives
     where restore_id = $1 and target_oid = $2 and state in ('restored', 'failed', 'foreign')`,
    [restoreId, oid],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('an aggregate gives a row');
  const { restored, failed, inserted, updated, skipped, lost, bytes, others } = row;
  return {
    tally: {
      archives: { restored, earlier: 0, failed, ...(others === null ? {} : { foreign: others }) },
      rows: { inserted, updated, skipped, failed: lost },
      bytes,
    },
    failures: await readFailures(client, restoreId, oid),
  };
}

async function readFailures(client: pg.Client, restoreId: string, oid: number): Promise<ArchiveFailure[]> {
  const { rows } = await client.query<ArchiveFailure>(
    `select key as archive, error_code as code, coalesce(error_message, '') as message,
       coalesce(error_hint, '') as hint, error_stage as stage, coalesce(rows, 0) as rows
     from thaw.archives
     where restore_id = $1 and target_oid = $2 and state = 'failed' and error_code is not null
     order by ordinal limit $3`,
    [restoreId, oid, maxFailuresKept],
  );
  return rows;
}

interface TallyRow {
  readonly restored: number;
  readonly failed: number;
  readonly inserted: number;
  readonly updated: number;
  readonly skipped: number;
  readonly lost: number;
  readonly bytes: number;
  readonly others: Readonly<Record<string, number>> | null;
}
