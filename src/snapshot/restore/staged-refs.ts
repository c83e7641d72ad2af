import type pg from 'pg';
import type { SnapshotRequest } from '../../contract/snapshot.ts';
import type { StagedTableRef } from '../../contract/snapshot-restore.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { readTarget, readTargets, type TargetTable } from '../../postgres/catalog.ts';
import type { StagedTable } from '../../postgres/snapshot-differences.ts';
import { countStaged, stageColumns, stageName } from '../../postgres/snapshot-stage.ts';
import { nameOf } from '../order/table-order.ts';
import type { StagedSnapshotTable } from './stage-snapshot.ts';

/** What is kept of a staged table from one activity to the next. */
export function stagedRef({ target, columns, rows, tenant }: StagedSnapshotTable): StagedTableRef {
  const staged = new Set(columns.map(({ name }) => name));
  const without = stageColumns(target).flatMap(({ name }) => (staged.has(name) ? [] : [name]));
  return { schema: target.schema, table: target.table, oid: target.oid, rows, without, tenant };
}

/**
 * Finds what was staged, and the tables as they are now.
 *
 * @param schema of the stage
 * @returns null where the stage is not there any more, or not whole: PostgreSQL empties unlogged tables when it crashes
 * @throws ThawError `SchemaIncompatible` for a table that was changed since
 */
export async function reopenStage(
  client: pg.Client,
  schema: string,
  refs: readonly StagedTableRef[],
  { newerBy }: Pick<SnapshotRequest, 'newerBy'>,
): Promise<StagedTable[] | null> {
  const stages = await stagesOf(client, schema, refs);
  if (stages === null) return null;
  const tables: StagedTable[] = [];
  for (const [place, ref] of refs.entries()) {
    const [stage, target] = [stages[place], await readTarget(client, ref.schema, ref.table)];
    if (stage === undefined || (await countStaged(client, schema, ref)) !== ref.rows) return null;
    const columns = stageColumns(target).filter(({ name }) => !ref.without.includes(name));
    const types = new Map(stage.columns.map(({ name, typeName }) => [name, typeName]));
    const isSame = columns.every(({ name, typeName }) => types.get(name) === typeName);
    if (target.oid !== ref.oid || !isSame || columns.length + ref.without.length !== types.size) {
      throw changed(ref);
    }
    const { tenant } = ref;
    tables.push({ target, stage: { schema, table: stage.table }, columns, tenant, newerBy });
  }
  return tables;
}

async function stagesOf(
  client: pg.Client,
  schema: string,
  refs: readonly StagedTableRef[],
): Promise<TargetTable[] | null> {
  try {
    return await readTargets(client, schema, refs.map(stageName));
  } catch (error) {
    if (error instanceof ThawError && error.code === 'TargetMissing') return null;
    throw error;
  }
}

function changed(ref: StagedTableRef): ThawError {
  const object = nameOf(ref);
  return new ThawError('SchemaIncompatible', `${object}: the table was altered since its rows were staged.`, {
    object,
    stage: 'merge',
    hint: 'Nothing was restored. Restore again.',
  });
}
