import type pg from 'pg';
import { isoTime, readKept, writeKept } from './kept.ts';

/** A rehearsal of a restore that has ended. */
export interface DrillRecord<Report extends object = object> {
  readonly drillId: string;
  /** The service, or database and table, that was restored into a scratch database. */
  readonly subject: string;
  /** `inconclusive`: nothing failed, but not everything could be looked at. */
  readonly outcome: 'verified' | 'failed' | 'inconclusive';
  readonly report: Report;
  /** ISO 8601. */
  readonly startedAt: string;
  /** ISO 8601. */
  readonly endedAt: string;
}

const object = 'thaw.drills';

/** Keeps a drill; an older record of it is replaced. */
export async function writeDrill(client: pg.ClientBase, drill: DrillRecord): Promise<void> {
  const { drillId, subject, outcome, report, startedAt, endedAt } = drill;
  await writeKept(
    client,
    object,
    `insert into thaw.drills (drill_id, subject, outcome, report, started_at, ended_at)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (drill_id) do update
     set outcome = excluded.outcome, report = excluded.report, ended_at = excluded.ended_at`,
    [drillId, subject, outcome, JSON.stringify(report), startedAt, endedAt],
  );
}

/** Reads a drill; none where it is not kept in this database. */
export function readDrill<Report extends object>(
  client: pg.ClientBase,
  drillId: string,
): Promise<DrillRecord<Report>[]> {
  return readKept<DrillRecord<Report>>(client, object, `${recordSql} where drill_id = $1`, [drillId]);
}

const recordSql = `
  select drill_id as "drillId", subject, outcome, report, ${isoTime('started_at')} as "startedAt",
    ${isoTime('ended_at')} as "endedAt"
  from thaw.drills`;

/**
 * Reads the latest drills, the newest first; none where nothing is kept in this database.
 *
 * @param subject null: all
 */
export function listDrills<Report extends object>(
  client: pg.ClientBase,
  subject: string | null,
  limit: number,
): Promise<DrillRecord<Report>[]> {
  return readKept<DrillRecord<Report>>(
    client,
    object,
    `${recordSql}
     where $1::text is null or subject = $1
     order by started_at desc, drill_id desc limit $2`,
    [subject, limit],
  );
}
