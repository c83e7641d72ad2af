import type { TableScope } from '../contract/activities.ts';
import type { AuditEvent } from '../contract/audit-event.ts';
import type { TableOutcome } from '../contract/outcome.ts';
import { clip } from './clip.ts';
import { isIncomplete, rowsRestored } from './tally.ts';

/** The archiver calls itself `system`; that a row or object comes from here is told by its operator. */
const operator = 'thaw';

/** Messages are short; one that is not takes no more of a row or object than this, in bytes. */
const messageBytes = 1000;

/** The restore of a table that an event is about. */
export interface AuditedTable {
  readonly scope: TableScope;
  /** The archives that were asked for; null: all. */
  readonly keys: readonly string[] | null;
}

/** A restore of a table begins. */
export function startEvent(audited: AuditedTable, at: Date): AuditEvent {
  return {
    ...commonFields(audited, at),
    event_type: 'restore_start',
    record_count: null,
    status: 'started',
    duration_seconds: null,
    error_message: null,
    metadata: origin(audited),
  };
}

/**
 * A restore of a table has ended; one that lacks anything of what was asked for counts as failed.
 *
 * @param seconds from its start
 */
export function endEvent(
  audited: AuditedTable,
  at: Date,
  outcome: Pick<TableOutcome, 'tally' | 'failures' | 'error'> & { readonly cancelled: boolean },
  seconds: number,
): AuditEvent {
  const { tally, error, cancelled } = outcome;
  const failed = cancelled || error !== null || isIncomplete(tally);
  return {
    ...commonFields(audited, at),
    event_type: failed ? 'restore_failure' : 'restore_success',
    record_count: rowsRestored(tally.rows),
    status: failed ? 'failed' : 'success',
    duration_seconds: seconds,
    error_message: failed ? clip(reasonOf(outcome), messageBytes) : null,
    metadata: { ...origin(audited), archives: tally.archives, rows: tally.rows },
  };
}

/**
 * Key of the object that an event is written to: `audit/year=…/month=…/day=…/{moment}_{type}.json`, the moment with
 * microseconds.
 *
 * @param prefix of every key, without trailing slash; may be empty
 * @param later microseconds after the event, where another one has its key
 */
export function auditKey(prefix: string, { timestamp, event_type: type }: AuditEvent, later: number): string {
  const [, year, month, day, time = '', micros = ''] =
    /^(\d{4})-(\d{2})-(\d{2})T([\d:]{8})\.(\d{6})/.exec(timestamp) ?? [];
  const fraction = String(Number(micros) + later).padStart(6, '0');
  const moment = `${year}${month}${day}T${time.replaceAll(':', '')}.${fraction}Z`;
  const folder = `audit/year=${year}/month=${month}/day=${day}`;
  return `${prefix === '' ? '' : `${prefix}/`}${folder}/${moment}_${type}.json`;
}

/** The object, indented by 2 as the archiver's. */
export function formatAuditEvent(event: AuditEvent): string {
  const { timestamp, event_type, database, table, schema, record_count, s3_path, ...rest } = event;
  const { status, duration_seconds, operator: by, error_message, metadata } = rest;
  return JSON.stringify(
    {
      ...{ timestamp, event_type, database, table, schema, record_count, s3_path, status },
      ...{ duration_seconds, operator: by, error_message, metadata },
    },
    null,
    2,
  );
}

function commonFields({ scope, keys }: AuditedTable, at: Date) {
  const { database, table } = scope;
  const [key = null, another] = keys ?? [];
  return {
    timestamp: at.toISOString().replace('Z', '000+00:00'),
    database,
    table: table.table,
    schema: table.schema,
    s3_path: another === undefined ? key : null,
    operator,
  };
}

function origin({ scope: { restoreId, table } }: AuditedTable) {
  return { restore_id: restoreId, target: `${table.intoSchema}.${table.intoTable}` };
}

function reasonOf({
  tally,
  failures: [first],
  error,
  cancelled,
}: Pick<TableOutcome, 'tally' | 'failures' | 'error'> & { readonly cancelled: boolean }): string {
  if (error !== null) return `${error.code}: ${error.message}`;
  if (cancelled) return 'The restore was cancelled.';
  const { failed } = tally.archives;
  if (first === undefined) return `${tally.rows.failed} rows were not accepted.`;
  return `${failed} archive${failed === 1 ? '' : 's'} failed, the first with ${first.code}: ${first.message}`;
}
