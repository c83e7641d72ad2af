import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { databaseOf } from '../client/restore-request.ts';
import type { DatabaseConfig, ThawConfig } from '../config/thaw-config.ts';
import { snapshotStrategies } from '../contract/snapshot.ts';
import type { SnapshotHistory } from '../contract/snapshot-history.ts';
import type { Listing, ListQuery, Page } from '../control/list.ts';
import { historyPart } from '../postgres/snapshot-history.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import type { Caller } from './caller.ts';
import { linkNextPage, listParameters, readListQuery } from './list-query.ts';
import { ofTenant } from './tenant-part.ts';

/** What the history of restores of snapshots takes. */
export interface SnapshotHistoryDependencies {
  readonly config: ThawConfig;
  readonly tenantColumn: string;
  /** Lists the history that a database keeps. @param tenant whose rows; null: all */
  readonly listHistory: (
    database: DatabaseConfig,
    query: ListQuery,
    tenant: string | null,
  ) => Promise<Page<SnapshotHistory>>;
}

const count = z.int().min(0);
const time = z.iso.datetime();
const anything = z.record(z.string(), z.unknown());

const step = z.object({
  table: z.string(),
  progress_pct: z.number(),
  status: z.string(),
  eta_seconds: z.number().nullable(),
  started_at: time.nullable(),
  completed_at: time.nullable(),
  rows_restored: count.nullable(),
});

/** The documented record of a restore of a snapshot. */
const historyRecord = z
  .object({
    restore_id: z.string().openapi({ description: 'Of a restore over this API: the id of its run.' }),
    database: z.string(),
    tenant_id: z.string().nullable().openapi({ description: 'Whose rows; null: whole tables.' }),
    snapshot_id: z.string(),
    strategy: z.enum(snapshotStrategies),
    status: z.enum(['in_progress', 'completed', 'failed', 'partial']),
    rollback_started_at: time,
    rollback_completed_at: time.nullable(),
    duration_seconds: count.nullable(),
    rows_restored: count.nullable().openapi({ description: 'Inserted and updated.' }),
    tables_affected: z.array(z.string()).nullable(),
    tables_restored: z.array(z.string()),
    current_step: z.string().nullable(),
    restoration_steps: z.array(step),
    errors_encountered: count,
    error_details: anything.nullable(),
    fk_constraints_handled: anything,
    transaction_ids: z.array(z.string()),
    initiated_by: z.string(),
    reason: z.string().nullable(),
    notes: z.string().nullable(),
  })
  .openapi('SnapshotRestore');

const listRoute = createRoute({
  method: 'get',
  path: '/api/data/snapshot_restores',
  summary: 'Restores of snapshots, whoever began them, as the database that they were of keeps them',
  request: {
    query: listParameters.extend({
      database: z.string().optional().openapi({ description: 'As configured; default: the only one.' }),
    }),
  },
  responses: {
    200: answer('A page; a Link header tells where the next one is.', z.array(historyRecord)),
    ...errorAnswers(400, 401, 403, 503),
  },
});

/** How the history is listed: where `database` says what table it is. */
export const historyListing: Omit<Listing, 'table'> = {
  fields: {
    restore_id: 'text',
    tenant_id: 'text',
    snapshot_id: 'text',
    status: 'text',
    rollback_started_at: 'time',
    rollback_completed_at: 'time',
    duration_seconds: 'number',
    rows_restored: 'number',
    tables_affected: 'list',
    tables_restored: 'list',
    current_step: 'text',
    errors_encountered: 'number',
    initiated_by: 'text',
    reason: 'text',
  },
  condition: 'true',
  order: [{ field: 'rollback_started_at', direction: 'desc' }],
};

/** `GET /api/data/snapshot_restores` */
export function addSnapshotHistoryRoutes(
  app: OpenAPIHono<ApiEnv>,
  { config, tenantColumn, listHistory }: SnapshotHistoryDependencies,
): void {
  app.openapi(listRoute, async (context) => {
    const query = readListQuery(context, ['database']);
    const database = databaseOf(context.req.query('database'), config);
    const page = await listHistory(database, query, visiblePart(context.get('caller'), tenantColumn));
    linkNextPage(context, query, page);
    return context.json(success(page.rows.map(toHistoryRecord)), 200);
  });
}

function visiblePart(caller: Caller, column: string): string | null {
  return caller.access === 'root' ? null : historyPart(ofTenant(caller, column));
}

function toHistoryRecord(history: SnapshotHistory): z.output<typeof historyRecord> {
  const { metadata, tables_affected: affected, error_details: error } = history;
  return {
    restore_id: history.restore_id,
    database: metadata.database,
    tenant_id: history.tenant_id,
    snapshot_id: history.snapshot_id,
    strategy: metadata.strategy,
    status: history.status,
    rollback_started_at: history.rollback_started_at,
    rollback_completed_at: history.rollback_completed_at,
    duration_seconds: history.duration_seconds,
    rows_restored: history.rows_restored,
    tables_affected: affected === null ? null : [...affected],
    tables_restored: [...history.tables_restored],
    current_step: history.current_step,
    restoration_steps: history.restoration_steps.map((one) => ({ ...one })),
    errors_encountered: history.errors_encountered,
    error_details: error === null ? null : { ...error },
    fk_constraints_handled: { ...history.fk_constraints_handled },
    transaction_ids: [...history.transaction_ids],
    initiated_by: history.initiated_by,
    reason: history.reason,
    notes: history.notes,
  };
}
