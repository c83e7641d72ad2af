import type pg from 'pg';
import type { SnapshotTableResult } from '../../contract/snapshot.ts';
import type { SnapshotDifference } from '../../contract/snapshot-difference.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { TargetTable } from '../../postgres/catalog.ts';
import { checkLateKeysAtOnce } from '../../postgres/insert-all.ts';
import { lockTables } from '../../postgres/lock-tables.ts';
import { holdTriggers } from '../../postgres/merge-hold.ts';
import { MergedImages } from '../../postgres/merged-images.ts';
import { countRemaining, type Differences, type StagedTable } from '../../postgres/snapshot-differences.ts';
import {
  deleteSurplus,
  insertMissing,
  insertMoved,
  isUntouched,
  updateChanged,
  widenJoins,
} from '../../postgres/snapshot-merge.ts';
import { isSqlState, sqlState } from '../../postgres/sqlstate.ts';
import type { TakenKey } from '../../postgres/taken-keys.ts';
import { findUniqueClashes } from '../../postgres/unique-clashes.ts';
import { holdForeignKeys, mostNamed, putBackForeignKeys } from '../order/held-keys.ts';
import { contentToken, refuseChanged } from './content-token.ts';
import { changedRows, type FoundDifferences, findChanges } from './found-differences.ts';
import { aboutObject, tableName } from './staged-check.ts';
import { clashError } from './unique-clashes.ts';

/** How tables are merged, and what is told of it. */
export interface MergeOptions {
  /** A token that a preview gave: refuses tables that have changed since. */
  readonly ifUnchanged?: string | null;
  /** The restore that gave it, where it is taken back. */
  readonly undoes?: string | null;
  /** The only differences to take, each exactly as it was told; null: all. */
  readonly chosen?: AsyncIterable<readonly SnapshotDifference[]> | null;
  /** From what cost on foreign keys are taken off to be quicker: see `planKeys`. @default a tenth of a second */
  readonly slowKeys?: number | undefined;
  /** A table is about to be compared with its stage. */
  onComparing?(table: TargetTable): void;
  /** The differences of a table are found, and counted. */
  onFound?(changes: SnapshotTableResult): void;
  /** A table is as it is to become. */
  onMerged?(changes: SnapshotTableResult): void;
  /** Foreign keys are about to be taken off; to be written down on a connection of its own. */
  onKeysTaken?(keys: readonly TakenKey[]): Promise<void>;
}

const all = 'the tables of the snapshot';

/**
 * Brings staged rows into their tables, all or nothing, in the transaction that is open: nobody else writes into the
 * tables meanwhile, and readers see them as they were until the commit, or wait for it where a foreign key is held.
 * What is no longer there is deleted from the last table to the first, and what is missing inserted from the first to
 * the last. Foreign keys are held from the first change to the last, and do nothing to any row. Triggers do not fire,
 * and are as they were behind it. Before it returns, each table is compared with its stage once more.
 *
 * The sequences of the tables are to be advanced behind the commit.
 *
 * @param tables parents of foreign keys first
 * @returns what was changed, in the order of the tables
 * @throws ThawError `RowRejected` naming rows that break a foreign key; `ConflictFound` where a row is in the way that
 * stays, or something has changed since it was told; `VerificationFailed` where a table did not become what it should,
 * as by a rewrite rule; `SchemaIncompatible`, `PermissionDenied`: then the transaction is to be rolled back
 */
export async function mergeTables(
  client: pg.Client,
  tables: readonly StagedTable[],
  {
    ifUnchanged = null,
    undoes = null,
    chosen = null,
    slowKeys,
    onComparing,
    onFound,
    onMerged,
    onKeysTaken,
  }: MergeOptions = {},
): Promise<SnapshotTableResult[]> {
  const targets = tables.map(({ target }) => target);
  await aboutObject(all, () => lockTables(client, targets));
  await aboutObject(all, () => widenJoins(client));
  if (ifUnchanged !== null) {
    refuseChanged(tables, ifUnchanged, await aboutObject(all, () => contentToken(client, tables)), undoes);
  }
  const releases: (() => Promise<void>)[] = [];
  for (const target of targets) {
    releases.push(await aboutObject(tableName(target), () => keepTriggersOff(client, target)));
  }
  const found = await findChanges(client, tables, chosen, onComparing);
  for (const { changes } of found) onFound?.(changes);
  const isChanged = found.some(({ changes }) => changedRows(changes) > 0);
  const keys = isChanged
    ? await holdForeignKeys(
        client,
        targets,
        async (taken) => onKeysTaken?.(taken),
        found.map(({ changes }) => changes),
        slowKeys,
      )
    : null;
  for (const { differences, changes } of [...found].reverse()) {
    // A row that is updated may have to go first as well.
    if (changes.deleted + changes.updated === 0) continue;
    await withTable(client, differences, () => deleteSurplus(client, differences));
  }
  for (const one of found) {
    await withTable(client, one.differences, async () => {
      await write(client, one);
      await checkLateKeysAtOnce(client, one.differences.staged.target);
      await verify(client, one);
    });
    onMerged?.(one.changes);
  }
  // Before triggers: a table that still has keys to check cannot be altered.
  if (keys !== null) await putBackForeignKeys(client, keys);
  for (const release of releases) await aboutObject(all, release);
  return found.map(({ changes }) => changes);
}

/** Brings the rows that the snapshot has, once those that it has not are away. */
async function write(client: pg.Client, { differences, changes }: FoundDifferences): Promise<void> {
  const { inserted, updated, unchanged } = changes;
  if (updated > 0) {
    await updateChanged(client, differences);
    await insertMoved(client, differences);
  }
  if (inserted > 0) await insertMissing(client, differences, updated + unchanged === 0);
}

/** Does one step with a table, which leaves nothing where it fails. */
async function withTable(
  client: pg.Client,
  differences: Differences,
  work: () => Promise<void>,
): Promise<void> {
  const { target } = differences.staged;
  await client.query('savepoint thaw_table');
  await aboutObject(tableName(target), async () => {
    try {
      await work();
    } catch (error) {
      await client.query('rollback to savepoint thaw_table').catch(() => {});
      if (!isSqlState(error, sqlState.uniqueViolation)) throw error;
      // PostgreSQL names one row at the most, with its values.
      const images = await MergedImages.read(client, [differences], []);
      const clashes = await findUniqueClashes(client, differences, images, mostNamed);
      throw clashes.length === 0 ? error : clashError(clashes, tableName(target));
    }
  });
  await client.query('release savepoint thaw_table');
}

async function keepTriggersOff(client: pg.Client, target: TargetTable): Promise<() => Promise<void>> {
  try {
    return await holdTriggers(client, target.oid);
  } catch (error) {
    if (!isSqlState(error, sqlState.insufficientPrivilege)) throw error;
    const object = tableName(target);
    throw new ThawError(
      'PermissionDenied',
      `${object}: it has triggers, which only its owner can keep from firing.`,
      {
        object,
        stage: 'merge',
        hint: 'Restore as the owner of the table, or disable its triggers meanwhile.',
      },
    );
  }
}

async function verify(client: pg.Client, { differences, remaining }: FoundDifferences): Promise<void> {
  // Nobody else writes: what was found when it was compared holds.
  if (await isUntouched(client, differences.staged.target)) return;
  if ((await countRemaining(client, differences)) === remaining) return;
  const object = tableName(differences.staged.target);
  throw new ThawError('VerificationFailed', `${object}: it did not become what the snapshot says.`, {
    object,
    stage: 'merge',
    hint: 'Nothing was restored. A rewrite rule or row-level security may have changed or hidden rows; restore as the owner of the table, without the rule.',
  });
}
