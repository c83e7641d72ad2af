import type { ControlClient } from './control-database.ts';

/**
 * Counts a start of a tenant: at most so many in a minute, which come back evenly. A row says when the last of them
 * will have come back; one statement looks at it and moves it, so that any number of processes share the count.
 *
 * @returns seconds to wait, at least 1, where there were too many; null where it was counted
 */
export async function takeStart(
  client: ControlClient,
  tenant: string,
  perMinute: number,
): Promise<number | null> {
  // Rounded down to microseconds: as many as are allowed never make more than a minute.
  const seconds = Math.floor(60_000_000 / perMinute) / 1_000_000;
  const { rowCount } = await client.query(
    `insert into thaw_api.start_limits as taken (tenant, back_at)
     values ($1, now() + make_interval(secs => $2))
     on conflict (tenant) do update set back_at = greatest(taken.back_at, now()) + make_interval(secs => $2)
     where greatest(taken.back_at, now()) + make_interval(secs => $2) <= now() + interval '1 minute'`,
    [tenant, seconds],
  );
  if (rowCount === 1) return null;
  const { rows } = await client.query<{ wait: number }>(
    `select greatest(1, ceil(extract(epoch from back_at - now()) + $2 - 60))::integer as wait
     from thaw_api.start_limits where tenant = $1`,
    [tenant, seconds],
  );
  return rows[0]?.wait ?? 1;
}
