import type pg from 'pg';
import { disconnect } from '../../postgres/connection.ts';
import { keepTenantRows, type StagedTable } from '../../postgres/snapshot-differences.ts';
import { dropSnapshotStage } from '../../postgres/snapshot-stage.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import type { StagedRows } from '../stage/stage-table.ts';
import { type StageOptions, stageTables } from '../stage/stage-tables.ts';
import type { ChosenTable } from './choose-tables.ts';
import type { OpenedSnapshot } from './open-snapshot.ts';

/** A table that is staged, and what the stage leaves out. */
export type StagedSnapshotTable = StagedTable & Pick<StagedRows, 'rows' | 'dropped'>;

/**
 * Stages tables of a snapshot for a merge, a preview or a diff. The caller removes the stage by `dropSnapshotStage`;
 * where this throws it is removed already.
 *
 * Of a snapshot of whole tables, the rows of one tenant alone are staged where they alone are restored. One that was
 * taken of a tenant and has rows of others is refused when it is merged.
 *
 * @returns in the order of `chosen`
 * @throws ThawError as `stageTables` does
 */
export async function stageSnapshot(
  snapshot: OpenedSnapshot,
  chosen: readonly ChosenTable[],
  options: StageOptions,
): Promise<StagedSnapshotTable[]> {
  const staged = await stageTables(
    snapshot.rows(chosen.map(({ opened }) => opened)),
    chosen.map(({ opened: { name }, target }) => ({ name, target })),
    options,
  );
  const tables = staged.flatMap((rows, place): StagedSnapshotTable[] => {
    const choice = chosen[place];
    return choice === undefined ? [] : [{ ...rows, tenant: choice.tenant, newerBy: choice.newerBy }];
  });
  const isMixed = (place: number) => chosen[place]?.opened.tenant === null;
  if (!tables.some(({ tenant }, place) => tenant !== null && isMixed(place))) return tables;
  return inStage(options, async (client) => {
    const kept: StagedSnapshotTable[] = [];
    for (const [place, table] of tables.entries()) {
      const isWhole = table.tenant === null || !isMixed(place);
      kept.push(isWhole ? table : { ...table, rows: await keepTenantRows(client, table) });
    }
    return kept;
  });
}

/** Does something with a stage, which is removed where that fails. */
async function inStage<Result>(
  { connect, schema }: StageOptions,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = await connect();
  try {
    return await work(client);
  } catch (error) {
    await dropSnapshotStage(client, schema).catch(() => {});
    throw databaseError(error, { object: schema, stage: 'copy' });
  } finally {
    await disconnect(client);
  }
}
