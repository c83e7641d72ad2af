import type { ControlClient } from './control-database.ts';

/** How much is removed in one transaction. */
export interface RemovalStep {
  /** Runs, extracts and uploads, of each. */
  readonly records: number;
  /** Lines of logs: a run may have millions. */
  readonly lines: number;
}

/** What one transaction has removed. */
export interface Removed {
  readonly records: number;
  /** Whether there may be more that is old. */
  readonly more: boolean;
}

/**
 * Removes what has ended so long ago: runs with their logs, runs of extracts whose bundle is gone, and uploads that
 * were removed from the store. In a transaction; others pass over what is being removed.
 *
 * @param seconds since the end
 */
export async function removeOldRecords(
  client: ControlClient,
  seconds: number,
  { records, lines }: RemovalStep,
): Promise<Removed> {
  const { rows } = await client.query<{ id: string }>(
    `select id from thaw_api.restore_runs
     where completed_at < now() - make_interval(secs => $1)
     order by completed_at limit $2
     for update skip locked`,
    [seconds, records],
  );
  const ids = rows.map(({ id }) => id);
  const logs = await client.query(
    `delete from thaw_api.restore_logs
     where id in (select id from thaw_api.restore_logs where run_id = any ($1) limit $2)`,
    [ids, lines],
  );
  const runs = await client.query(
    `delete from thaw_api.restore_runs as run
     where id = any ($1) and not exists (select from thaw_api.restore_logs where run_id = run.id)`,
    [ids],
  );
  const extracts = await client.query(
    `delete from thaw_api.extract_runs
     where id in (
       select id from thaw_api.extract_runs
       where completed_at < now() - make_interval(secs => $1) and (key is null or removed_at is not null)
       order by completed_at limit $2
       for update skip locked)`,
    [seconds, records],
  );
  const uploads = await client.query(
    `delete from thaw_api.uploads
     where id in (
       select id from thaw_api.uploads
       where removed_at < now() - make_interval(secs => $1)
       order by removed_at limit $2
       for update skip locked)`,
    [seconds, records],
  );
  const counts = [runs, extracts, uploads].map(({ rowCount }) => rowCount ?? 0);
  return {
    records: counts.reduce((sum, count) => sum + count, 0),
    more: (logs.rowCount ?? 0) === lines || counts.includes(records),
  };
}
