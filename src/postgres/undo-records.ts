import type pg from 'pg';
import type { UndoneTable, UndoOutcome, UndoRequest } from '../contract/undo-request.ts';
import { isoTime, readKept, writeKept } from './kept.ts';
import type { LeftRows } from './undo-rows.ts';

/** An undo as it is kept. */
export interface StoredUndo {
  readonly undoId: string;
  readonly by: string;
  /** ISO 8601; null while it has not told its end. */
  readonly finishedAt: string | null;
}

const object = 'thaw.undos';

/** Writes that an undo begins; what is there of it already stays. */
export async function beginUndoRecord(client: pg.Client, request: UndoRequest): Promise<void> {
  const { restoreId, undoes, by, reason } = request;
  await writeKept(
    client,
    object,
    `insert into thaw.undos (undo_id, restore_id, asked_by, reason, state)
     values ($1, $2, $3, $4, 'running')
     on conflict (undo_id) do nothing`,
    [restoreId, undoes, by, reason],
  );
}

/** Writes how an undo has ended. */
export async function endUndoRecord(
  client: pg.Client,
  { restoreId, state, made }: UndoOutcome,
  tables: readonly UndoneTable<LeftRows>[],
): Promise<void> {
  await writeKept(
    client,
    object,
    'update thaw.undos set state = $2, tables = $3, made = $4, finished_at = now() where undo_id = $1',
    [restoreId, state, JSON.stringify(tables), made === null ? null : JSON.stringify(made)],
  );
}

/** Reads the latest undo of a restore; null where there was none. */
export async function readLastUndo(client: pg.Client, restoreId: string): Promise<StoredUndo | null> {
  const [undo] = await readKept<StoredUndo>(
    client,
    object,
    `select undo_id as "undoId", asked_by as "by", ${isoTime('finished_at')} as "finishedAt"
     from thaw.undos where restore_id = $1 order by started_at desc limit 1`,
    [restoreId],
  );
  return undo ?? null;
}
