import type pg from 'pg';
import type { SnapshotSource } from '../../contract/snapshot.ts';
import type { SnapshotPreview } from '../../contract/snapshot-preview.ts';
import type { PointInTime } from '../../contract/snapshot-replay.ts';
import { lockTimeout } from '../../postgres/transaction.ts';
import type { SnapshotPlace } from '../container/stored-snapshots.ts';
import { type DiffOptions, diffTables, type PreviewOptions, previewTables } from '../merge/preview-tables.ts';
import { replayLines } from '../replay/replay-lines.ts';
import { chooseTables, type TableChoice } from '../restore/choose-tables.ts';
import { describeLeftOut } from '../restore/left-out.ts';
import { type OpenedSnapshot, openSnapshot } from '../restore/open-snapshot.ts';
import { type StagedSnapshotTable, stageSnapshot } from '../restore/stage-snapshot.ts';
import { type StageSite, withPreviewStage } from './preview-stage.ts';

/** What is looked at, and where. */
export interface PreviewJob extends StageSite, TableChoice {
  readonly place: SnapshotPlace;
  readonly source: SnapshotSource;
  /** The snapshot must have the columns of each table, no less and no more. */
  readonly exact: boolean;
  /** Called for rows as they are staged. */
  onRows?(rows: number): void;
  /** The time that the snapshot is brought forward to; null: its own. @default null */
  readonly pointInTime?: PointInTime | null;
}

/** Connections that a preview stages on at the same time. */
const connections = 4;

/**
 * Tells what a restore of a snapshot would do: it is staged beside the tables, compared with them, and the stage is
 * dropped again. The tables are read, and nothing more.
 *
 * @throws ThawError what would end the restore before it merges; the signal's reason
 */
export async function previewSnapshot(
  job: PreviewJob,
  options: PreviewOptions = {},
): Promise<SnapshotPreview> {
  return withStaged(job, async (client, tables, { snapshot, notices }) => {
    const preview = await previewTables(client, tables, options);
    const more = [...unfit(snapshot, job), ...notices, ...describeLeftOut(tables)];
    return { ...preview, notices: [...more, ...preview.notices] };
  });
}

/**
 * Gives every difference between a snapshot and its tables.
 *
 * @throws ThawError as {@link previewSnapshot}; what `options` throw
 */
export async function diffSnapshot(job: PreviewJob, options: DiffOptions): Promise<void> {
  await withStaged(job, (client, tables) => diffTables(client, tables, options));
}

/** What is staged, and what was told while it was. */
interface Staged {
  readonly snapshot: OpenedSnapshot;
  readonly notices: readonly string[];
}

async function withStaged<Result>(
  job: PreviewJob,
  work: (client: pg.Client, tables: readonly StagedSnapshotTable[], staged: Staged) => Promise<Result>,
): Promise<Result> {
  const { place, source, exact, signal, pointInTime = null } = job;
  return withPreviewStage(job, async ({ client, schema, connect }) => {
    // Whoever locks a table must not hold the preview up for ever.
    await client.query(`set lock_timeout = '${lockTimeout}'`);
    const snapshot = await openSnapshot(source, { place, connect, signal }, client);
    const chosen = await chooseTables(client, snapshot, job);
    const onRows = (_: string, rows: number) => job.onRows?.(rows);
    const notices: string[] = [];
    const staged = await stageSnapshot(snapshot, chosen, {
      ...{ schema, connections, connect, exact, signal, onRows },
      pointInTime,
      onReplayed: (report) => notices.push(...replayLines(report)),
    });
    return work(client, staged, { snapshot, notices });
  });
}

/** Why a restore would refuse a snapshot that can be looked at all the same. */
function unfit(
  { expiresAt, rolledBack }: OpenedSnapshot,
  { pointInTime = null }: Pick<PreviewJob, 'pointInTime'>,
): string[] {
  const isExpired = expiresAt !== null && Date.parse(expiresAt) <= Date.now();
  return [
    ...(isExpired ? [`The snapshot expired at ${expiresAt}: it is not restored any more.`] : []),
    ...(rolledBack && pointInTime === null
      ? ['The snapshot was restored before: it is restored again only with --again.']
      : []),
  ];
}
