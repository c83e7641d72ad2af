import { z } from '@hono/zod-openapi';
import { errorCodes } from '../contract/error-code.ts';
import type { ArchiveFailure, TableError, Tally } from '../contract/outcome.ts';
import { restoreStates } from '../contract/progress.ts';
import { drillJson, toDrillJson } from './drill-json.ts';
import { percentDone, type Run, type RunTable } from './run.ts';
import { runDumpJson, toRunDumpJson } from './run-dump-json.ts';
import { runSnapshotJson, toRunSnapshotJson } from './run-snapshot-json.ts';
import { runSystemJson, toRunSystemJson } from './run-system-json.ts';
import { runUndoJson, toRunUndoJson } from './run-undo-json.ts';

const count = z.int().min(0);

const extent = z.object({
  done: count,
  total: count.nullable().openapi({ description: 'Null while the archives are being listed.' }),
});

const tally = {
  archives_restored: count,
  archives_restored_earlier: count,
  archives_failed: count,
  records_inserted: count,
  records_updated: count,
  records_skipped: count,
  records_failed: count,
};

const error = z.object({
  code: z.enum(errorCodes),
  message: z.string(),
  hint: z.string(),
});

const failure = error.extend({
  archive: z.string().openapi({ description: 'Key of the archive.' }),
  stage: z.string().nullable(),
  records: count.openapi({ description: 'Records that it holds, as far as known.' }),
});

const table = z.object({
  target: z.string().openapi({ example: 'public.audit_logs' }),
  state: z.enum(restoreStates),
  archives: extent,
  bytes: extent,
  counts: z.object(tally),
  in_flight: z.array(z.string()),
  notices: z.array(z.string()),
  error: error.nullable(),
});

/** A run in Thaw's own words: the `data` of `GET /api/runs/{runId}`. */
export const runJson = z
  .object({
    run_id: z.string(),
    database: z.string().nullable(),
    state: z.enum(restoreStates),
    reason: z.string().nullable().openapi({ description: 'Why it is paused or cancelled.' }),
    progress: z.int().min(0).max(100).openapi({ description: 'Percent, by bytes.' }),
    created_at: z.iso.datetime(),
    started_at: z.iso.datetime().nullable(),
    completed_at: z.iso.datetime().nullable(),
    archives: extent,
    bytes: extent.openapi({ description: 'Compressed bytes.' }),
    counts: z.object(tally),
    records_per_second: z.number().nullable(),
    eta_seconds: z.number().nullable(),
    failures: z.array(failure).openapi({ description: 'The first ones; counts has them all.' }),
    tables: z.array(table),
    error: error.nullable(),
    dump: runDumpJson
      .nullable()
      .openapi({ description: 'Of a restore of a dump: what was found and verified. Null of any other.' }),
    drill: drillJson.nullable().openapi({ description: 'Of a drill that has ended.' }),
    snapshot: runSnapshotJson.nullable().openapi({ description: 'Of a restore of a snapshot.' }),
    system: runSystemJson.nullable().openapi({ description: 'Of a restore of a system.' }),
    undo: runUndoJson.nullable().openapi({ description: 'Of a run that takes another one back.' }),
  })
  .openapi('Run');
export type RunJson = z.output<typeof runJson>;

/** Writes a run as JSON. */
export function toRunJson(run: Run): RunJson {
  return {
    run_id: run.id,
    database: run.database,
    state: run.state,
    reason: run.reason,
    progress: percentDone(run),
    created_at: run.createdAt.toISOString(),
    started_at: run.startedAt?.toISOString() ?? null,
    completed_at: run.endedAt?.toISOString() ?? null,
    archives: run.archives,
    bytes: run.bytes,
    counts: countsJson(run.tally),
    records_per_second: run.rowsPerSecond,
    eta_seconds: run.etaSeconds,
    failures: run.failures.map(failureJson),
    tables: run.tables.map(tableJson),
    error: run.error === null ? null : errorJson(run.error),
    dump: run.dump === null ? null : toRunDumpJson(run.dump),
    drill: run.drill === null ? null : toDrillJson(run.drill),
    snapshot: run.snapshot === null ? null : toRunSnapshotJson(run.snapshot),
    system: run.system === null ? null : toRunSystemJson(run.system),
    undo: run.undo === null ? null : toRunUndoJson(run.undo),
  };
}

function countsJson({ archives, rows }: Tally): RunJson['counts'] {
  return {
    archives_restored: archives.restored,
    archives_restored_earlier: archives.earlier,
    archives_failed: archives.failed,
    records_inserted: rows.inserted,
    records_updated: rows.updated,
    records_skipped: rows.skipped,
    records_failed: rows.failed,
  };
}

function tableJson(run: RunTable): RunJson['tables'][number] {
  return {
    target: run.target,
    state: run.state,
    archives: run.archives,
    bytes: run.bytes,
    counts: countsJson(run.tally),
    in_flight: [...run.inFlight],
    notices: [...run.notices],
    error: run.error === null ? null : errorJson(run.error),
  };
}

function errorJson({ code, message, hint }: TableError): NonNullable<RunJson['error']> {
  return { code, message, hint };
}

function failureJson({ archive, code, message, hint, stage, rows }: ArchiveFailure) {
  return { archive, code, message, hint, stage, records: rows };
}
