import type pg from 'pg';
import type { RestoreOptions } from '../contract/restore-request.ts';
import type { TargetTable } from './catalog.ts';
import { rowsOf } from './merge-sql.ts';

/** Says that rows may be replaced, and nothing of them kept. None where there are no rows. */
export async function unkeptNotices(
  client: pg.Client,
  target: TargetTable,
  { conflictStrategy, undoable }: Pick<RestoreOptions, 'conflictStrategy' | 'undoable'>,
): Promise<string[]> {
  const updates = conflictStrategy === 'overwrite' || conflictStrategy === 'upsert';
  if (!updates || undoable || !target.may.select) return [];
  const { rows } = await client.query<{ found: boolean }>(
    `select exists (select from ${rowsOf(target)}) as found`,
  );
  if (rows[0]?.found !== true) return [];
  return [
    `${target.schema}.${target.table} has rows: what ${conflictStrategy} replaces is not kept. With --undoable it is, and \`thaw undo\` brings it back.`,
  ];
}
