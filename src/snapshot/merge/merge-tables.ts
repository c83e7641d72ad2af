import type pg from 'pg';
import type { SnapshotTableResult } from '../../contract/snapshot.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { TargetTable } from '../../postgres/catalog.ts';
import { lockTables } from '../../postgres/lock-tables.ts';
import { holdTriggers } from '../../postgres/merge-hold.ts';
import {
  countDifferences,
  type Differences,
  findDifferences,
  hasForeignRows,
  isAsStaged,
  type StagedTable,
} from '../../postgres/snapshot-differences.ts';
import { deleteSurplus, insertMissing, updateChanged } from '../../postgres/snapshot-merge.ts';
import { databaseError } from '../../postgres/sqlstate.ts';
import type { TakenKey } from '../../postgres/taken-keys.ts';
import { holdForeignKeys, putBackForeignKeys } from '../order/held-keys.ts';

/** What is told of a merge while it goes on. */
export interface MergeEvents {
  /** All differences of a table are found, and counted. */
  onFound?(changes: SnapshotTableResult): void;
  /** A table is as the snapshot says. */
  onMerged?(changes: SnapshotTableResult): void;
  /** Foreign keys are about to be taken off; to be written down on a connection of its own. */
  onKeysTaken?(keys: readonly TakenKey[]): Promise<void>;
}

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
 * stays; `VerificationFailed` where a table did not become what it should, as by a rewrite rule; `SchemaIncompatible`,
 * `PermissionDenied`: then the transaction is to be rolled back
 */
export async function mergeTables(
  client: pg.Client,
  tables: readonly StagedTable[],
  events: MergeEvents = {},
): Promise<SnapshotTableResult[]> {
  for (const { target } of tables) checkTarget(target);
  const targets = tables.map(({ target }) => target);
  await about('the tables of the snapshot', () => lockTables(client, targets));
  const releases: (() => Promise<void>)[] = [];
  for (const target of targets) {
    releases.push(await about(nameOf(target), () => holdTriggers(client, target.oid)));
  }
  const found: { readonly differences: Differences; readonly changes: SnapshotTableResult }[] = [];
  for (const [place, staged] of tables.entries()) {
    await about(nameOf(staged.target), async () => {
      await refuseForeignRows(client, staged);
      const differences = await findDifferences(client, staged, place);
      const changes = await countDifferences(client, differences);
      found.push({ differences, changes });
      events.onFound?.(changes);
    });
  }
  const isChanged = found.some(({ changes }) => changes.inserted + changes.updated + changes.deleted > 0);
  const keys = isChanged
    ? await holdForeignKeys(client, targets, async (taken) => events.onKeysTaken?.(taken))
    : null;
  for (const { differences } of [...found].reverse()) {
    await aboutTable(client, differences, () => deleteSurplus(client, differences));
  }
  for (const { differences, changes } of found) {
    await aboutTable(client, differences, async () => {
      await updateChanged(client, differences);
      await insertMissing(client, differences);
      await verify(client, differences);
    });
    events.onMerged?.(changes);
  }
  // Before triggers: a table that still has keys to check cannot be altered.
  if (keys !== null) await putBackForeignKeys(client, keys);
  for (const release of releases) await about('the tables of the snapshot', release);
  return found.map(({ changes }) => changes);
}

/** Does one step with a table; where it fails, the transaction can still be asked. */
async function aboutTable(
  client: pg.Client,
  { staged: { target } }: Differences,
  work: () => Promise<void>,
): Promise<void> {
  await client.query('savepoint thaw_table');
  await about(nameOf(target), async () => {
    try {
      await work();
    } catch (error) {
      await client.query('rollback to savepoint thaw_table').catch(() => {});
      throw error;
    }
  });
  await client.query('release savepoint thaw_table');
}

async function about<Result>(object: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw databaseError(error, { object, stage: 'merge' });
  }
}

function checkTarget(target: TargetTable): void {
  const object = nameOf(target);
  if (target.kind === 'view') {
    throw new ThawError(
      'SchemaIncompatible',
      `${object}: a snapshot is restored into tables, and it is a view.`,
      {
        object,
        stage: 'merge',
        hint: 'Leave it out, and restore the tables that it shows.',
      },
    );
  }
  if (target.may.alter || !target.triggers.some(({ enabled }) => enabled)) return;
  throw new ThawError(
    'PermissionDenied',
    `${object}: it has triggers, which only its owner can keep from firing.`,
    { object, stage: 'merge', hint: 'Restore as the owner of the table, or disable its triggers meanwhile.' },
  );
}

async function refuseForeignRows(client: pg.Client, staged: StagedTable): Promise<void> {
  if (!(await hasForeignRows(client, staged))) return;
  const object = nameOf(staged.target);
  throw new ThawError(
    'ConflictFound',
    `${object}: the snapshot has rows of another ${staged.tenant?.column}.`,
    {
      object,
      stage: 'merge',
      hint: 'Nothing was restored. Use a snapshot that was taken of this tenant alone.',
    },
  );
}

async function verify(client: pg.Client, differences: Differences): Promise<void> {
  if (await isAsStaged(client, differences)) return;
  const object = nameOf(differences.staged.target);
  throw new ThawError('VerificationFailed', `${object}: it did not become what the snapshot says.`, {
    object,
    stage: 'merge',
    hint: 'Nothing was restored. A rewrite rule or row-level security may have changed or hidden rows; restore as the owner of the table, without the rule.',
  });
}

function nameOf({ schema, table }: TargetTable): string {
  return `${schema}.${table}`;
}
