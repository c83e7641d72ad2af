import { z } from '@hono/zod-openapi';
import type { DrillReport } from '../contract/drill.ts';
import { errorCodes } from '../contract/error-code.ts';
import { dumpReportJson, toDumpReportJson } from './run-dump-json.ts';

const time = z.iso.datetime();
const seconds = z.number().nullable();
const names = z.array(z.string());

/** A drill that has ended. */
export const drillJson = z
  .object({
    drill_id: z.string(),
    subject: z.string().openapi({ description: 'The service, or database/schema.table of archives.' }),
    outcome: z.enum(['verified', 'failed', 'inconclusive']),
    started_at: time,
    ended_at: time,
    backup: z.string().nullable().openapi({ description: 'The dump, or the newest archive.' }),
    taken_at: time.nullable(),
    rto_seconds: seconds.openapi({ description: 'From the start to a verified database.' }),
    rpo_seconds: seconds.openapi({ description: 'Age of the backup at the start.' }),
    objectives: z.object({ rto_seconds: seconds, rpo_seconds: seconds }),
    missed: z.array(z.enum(['rto', 'rpo'])),
    rows: z.int().min(0),
    report: dumpReportJson.nullable(),
    error: z.object({ code: z.enum(errorCodes), message: z.string(), hint: z.string() }).nullable(),
    left_behind: names,
    notices: names,
    webhook: z.enum(['sent', 'failed']).nullable(),
  })
  .openapi('Drill');

/** Writes a drill as JSON. */
export function toDrillJson(drill: DrillReport): z.output<typeof drillJson> {
  const { subject, outcome, backup, objectives, rows, error, webhook } = drill;
  return {
    ...{ drill_id: drill.drillId, subject, outcome, backup, rows, webhook },
    started_at: drill.startedAt,
    ended_at: drill.endedAt,
    taken_at: drill.takenAt,
    rto_seconds: drill.rtoSeconds,
    rpo_seconds: drill.rpoSeconds,
    objectives: { rto_seconds: objectives.rtoSeconds, rpo_seconds: objectives.rpoSeconds },
    missed: [...drill.missed],
    report: drill.report === null ? null : toDumpReportJson(drill.report),
    error: error === null ? null : { code: error.code, message: error.message, hint: error.hint },
    left_behind: [...drill.leftBehind],
    notices: [...drill.notices],
  };
}
