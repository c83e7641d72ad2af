import type pg from 'pg';
import type { PointInTime, ReplayReport } from '../../contract/snapshot-replay.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { disconnect } from '../../postgres/connection.ts';
import { keepTenantRows, type StagedTable } from '../../postgres/snapshot-differences.ts';
import { dropSnapshotStage } from '../../postgres/snapshot-stage.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import { replayLog } from '../replay/replay-log.ts';
import type { StagedRows } from '../stage/stage-table.ts';
import { type StageOptions, stageTables } from '../stage/stage-tables.ts';
import type { ChosenTable } from './choose-tables.ts';
import type { OpenedSnapshot } from './open-snapshot.ts';

/** A table that is staged, and what the stage leaves out. */
export type StagedSnapshotTable = StagedTable & Pick<StagedRows, 'rows' | 'dropped'>;

/** How a snapshot is staged. */
export interface StageSnapshotOptions extends StageOptions {
  /** The time that the stage is brought forward to; null: it is as the snapshot. @default null */
  readonly pointInTime?: PointInTime | null;
  /** Called where there is one, behind it. */
  onReplayed?(report: ReplayReport): void;
}

/**
 * Stages tables of a snapshot for a merge, a preview or a diff. The caller removes the stage by `dropSnapshotStage`;
 * where this throws it is removed already.
 *
 * Of a snapshot of whole tables, the rows of one tenant alone are staged where they alone are restored. One that was
 * taken of a tenant and has rows of others is refused when it is merged.
 *
 * @returns in the order of `chosen`
 * @throws ThawError as `stageTables` and `replayLog` do
 */
export async function stageSnapshot(
  snapshot: OpenedSnapshot,
  chosen: readonly ChosenTable[],
  options: StageSnapshotOptions,
): Promise<readonly StagedSnapshotTable[]> {
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
  const pointInTime = options.pointInTime ?? null;
  const isCut = (place: number) => tables[place]?.tenant !== null && isMixed(place);
  if (pointInTime === null && !tables.some((_, place) => isCut(place))) return tables;
  return inStage(options, async (client) => {
    const kept: StagedSnapshotTable[] = [];
    for (const [place, table] of tables.entries()) {
      kept.push(isCut(place) ? { ...table, rows: await keepTenantRows(client, table) } : table);
    }
    if (pointInTime === null) return kept;
    const moment = momentOf(snapshot, pointInTime);
    const { staged: replayed, report } = await replayLog(client, kept, {
      ...options,
      ...pointInTime,
      ...moment,
    });
    options.onReplayed?.(report);
    return replayed;
  });
}

/** Where a log goes on from. */
function momentOf(
  { createdAt, xactSnapshot, source }: Pick<OpenedSnapshot, 'createdAt' | 'xactSnapshot' | 'source'>,
  { since }: PointInTime,
): { after: string; xactSnapshot: string | null } {
  if (createdAt !== null && since === null) return { after: createdAt, xactSnapshot };
  if (createdAt === null && since !== null) return { after: since, xactSnapshot };
  throw new ThawError(
    'InputInvalid',
    createdAt === null
      ? `The backup ${source.kind === 'object' ? source.key : source.id} does not tell at which moment it was begun.`
      : `The snapshot tells itself that it is of ${createdAt}.`,
    {
      object: '--since',
      hint:
        createdAt === null
          ? 'Name that moment with --since; changes are replayed from then on.'
          : 'Leave --since out.',
    },
  );
}

/** Does something with a stage, which is removed where that fails. */
async function inStage<Result>(
  { connect, schema, signal }: StageOptions,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = await connect();
  // A statement may run for long, and ends with its connection.
  const end = () => void disconnect(client);
  signal.addEventListener('abort', end, { once: true });
  try {
    return await work(client);
  } catch (error) {
    await dropSnapshotStage(client, schema).catch(() => {});
    signal.throwIfAborted();
    throw databaseError(error, { object: schema, stage: 'copy' });
  } finally {
    signal.removeEventListener('abort', end);
    await disconnect(client);
  }
}
