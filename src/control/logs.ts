import type { ControlClient } from './control-database.ts';
import { type Listing, type ListQuery, listPage, type Page } from './list.ts';

/** The levels of log lines. */
export const logLevels = ['info', 'warn', 'error'] as const;

/** The phases that log lines belong to, as the API document names them. */
export const logPhases = ['upload', 'validation', 'describe_import', 'data_import'] as const;

/** What happened in a run. Never holds a record's content, only ids. */
export interface LogLine {
  /** The same for the same event, so that a retry does not tell it twice. */
  readonly key: string;
  readonly level: (typeof logLevels)[number];
  readonly phase: (typeof logPhases)[number] | null;
  readonly model: string | null;
  readonly record: string | null;
  readonly message: string;
  readonly detail: Readonly<Record<string, unknown>> | null;
}

/** Adds lines to the log of a run, in their order; those that it has already are left out. */
export async function appendLogs(
  client: ControlClient,
  runId: string,
  lines: readonly LogLine[],
): Promise<void> {
  if (lines.length === 0) return;
  await client.query(
    `insert into thaw_api.restore_logs
       (run_id, tenant, key, level, phase, model_name, record_id, message, detail)
     select run.id, run.tenant, line.key, line.level, line.phase, line.model, line.record, line.message, line.detail
     from thaw_api.restore_runs as run,
          jsonb_to_recordset($2)
            as line (key text, level text, phase text, model text, record text, message text, detail jsonb, place integer)
     where run.id = $1
     order by line.place
     on conflict (run_id, key) do nothing`,
    [runId, JSON.stringify(lines.map((line, place) => ({ ...line, place })))],
  );
}

/** A line as it is kept, in the words of the API document. */
export interface LogRow {
  readonly id: number;
  readonly run_id: string;
  readonly level: LogLine['level'];
  readonly phase: LogLine['phase'];
  readonly model_name: string | null;
  readonly record_id: string | null;
  readonly message: string;
  readonly detail: Readonly<Record<string, unknown>> | null;
  readonly created_at: Date;
}

const logListing: Listing = {
  table: 'thaw_api.restore_logs',
  fields: {
    id: 'number',
    run_id: 'text',
    level: 'text',
    phase: 'text',
    model_name: 'text',
    record_id: 'text',
    message: 'text',
    created_at: 'time',
  },
  condition: 'true',
  order: [],
};

/** Lists log lines of a tenant, the oldest first; null: of all. @throws ThawError `InputInvalid` */
export async function listLogs(
  client: ControlClient,
  query: ListQuery,
  tenant: string | null,
): Promise<Page<LogRow>> {
  return listPage<LogRow>(client, logListing, query, tenant);
}
