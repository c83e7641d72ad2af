import { z } from '@hono/zod-openapi';
import { snapshotStrategies } from '../contract/snapshot.ts';
import { snapshotRestoreSteps } from '../contract/snapshot-restore.ts';
import { nameOf } from '../snapshot/order/table-order.ts';
import type { RunSnapshot } from './run.ts';

const count = z.int().min(0);

/** What `GET /api/runs/{runId}` tells of a restore of a snapshot. */
export const runSnapshotJson = z
  .object({
    source: z.object({ kind: z.enum(['stored', 'table', 'object']), ref: z.string() }),
    strategy: z.enum(snapshotStrategies),
    step: z.enum(snapshotRestoreSteps).nullable().openapi({ description: 'Null of one that has ended.' }),
    steps: z.array(
      z.object({
        table: z.string(),
        status: z.enum(['pending', 'staging', 'staged', 'merging', 'merged', 'completed', 'failed']),
        progress_pct: z.number(),
        eta_seconds: z.number().nullable(),
      }),
    ),
    tables: z
      .array(
        z.object({ table: z.string(), inserted: count, updated: count, deleted: count, unchanged: count }),
      )
      .openapi({ description: 'What was committed.' }),
    foreign_keys: z
      .array(
        z.object({
          name: z.string(),
          table: z.string(),
          hold: z.enum(['deferred', 'made deferrable', 'taken off']),
        }),
      )
      .openapi({
        description: 'Of one that runs; what was held is told by its record of snapshot_restores.',
      }),
    locks: z
      .array(
        z.object({
          table: z.string(),
          lock: z.enum(['share row exclusive', 'access exclusive']),
          why: z.string(),
        }),
      )
      .openapi({ description: 'Of one that runs.' }),
    pre_snapshot_id: z
      .string()
      .nullable()
      .openapi({ description: 'The snapshot of what was there, by which it can be undone.' }),
    notices: z.array(z.string()),
  })
  .openapi('RunSnapshot');

/** Writes it. */
export function toRunSnapshotJson(run: RunSnapshot): z.output<typeof runSnapshotJson> {
  const { source, strategy, step, steps, tables, keys, locks, preSnapshotId, notices } = run;
  return {
    source: { kind: source.kind, ref: source.kind === 'object' ? source.key : source.id },
    ...{ strategy, step, pre_snapshot_id: preSnapshotId, notices: [...notices] },
    steps: steps.map(({ table, status, progress_pct, eta_seconds }) => {
      return { table, status, progress_pct, eta_seconds };
    }),
    tables: tables.map((one) => {
      const { inserted, updated, deleted, unchanged } = one;
      return { table: nameOf(one), inserted, updated, deleted, unchanged };
    }),
    foreign_keys: keys.map(({ name, table, hold }) => ({ name, table, hold })),
    locks: locks.map(({ table, lock, why }) => ({ table, lock, why })),
  };
}
