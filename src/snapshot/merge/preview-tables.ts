import type pg from 'pg';
import type { SnapshotDifference } from '../../contract/snapshot-difference.ts';
import type {
  DifferenceSample,
  HeldKey,
  SnapshotPreview,
  TablePreview,
} from '../../contract/snapshot-preview.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { findDifferences, type StagedTable } from '../../postgres/snapshot-differences.ts';
import { widenJoins } from '../../postgres/snapshot-merge.ts';
import { readDifferences, sampleDifferences } from '../../postgres/snapshot-rows.ts';
import { readFiringTriggers } from '../../postgres/trigger-states.ts';
import { planForeignKeys } from '../order/held-keys.ts';
import { type PlannedKey, planLocks } from '../order/key-plan.ts';
import { contentToken, refuseChanged } from './content-token.ts';
import { findDanglingRows, findTakenValues } from './find-refusals.ts';
import { changedRows, type FoundDifferences, findChanges } from './found-differences.ts';
import { aboutObject, checkStaged, tableName } from './staged-check.ts';

/** What a preview tells of the rows. */
export interface PreviewOptions {
  /** Differences of each kind that are told of each table. @default 5 */
  readonly samples?: number;
  /** Tells their values, not only their keys. @default false */
  readonly values?: boolean;
  /** The only differences that the restore takes; null: all. */
  readonly chosen?: AsyncIterable<readonly SnapshotDifference[]> | null;
  /** A token that an earlier preview gave: refuses tables that have changed since. */
  readonly ifUnchanged?: string | null;
  /** As for the merge. */
  readonly slowKeys?: number | undefined;
}

const all = 'the tables of the snapshot';

/**
 * Tells what a merge of staged tables would do, at one moment, and changes nothing; also that it would be refused for
 * foreign keys or unique indexes, by what it would make of the tables.
 *
 * @param client in no transaction
 * @param tables parents of foreign keys first
 * @throws ThawError
 */
export async function previewTables(
  client: pg.Client,
  tables: readonly StagedTable[],
  { samples = 5, values = false, chosen = null, ifUnchanged = null, slowKeys }: PreviewOptions = {},
): Promise<SnapshotPreview> {
  return atOneMoment(client, async () => {
    const token = await aboutObject(all, () => contentToken(client, tables));
    if (ifUnchanged !== null) refuseChanged(tables, ifUnchanged, token);
    const found = await findChanges(client, tables, chosen);
    const previews: TablePreview[] = [];
    for (const one of found) previews.push(await previewTable(client, one, { samples, values }));
    return aboutObject(all, async () => {
      const isChanged = previews.some((preview) => changedRows(preview) > 0);
      const targets = tables.map(({ target }) => target);
      const keys = isChanged ? await planForeignKeys(client, targets, previews, slowKeys) : [];
      return {
        tables: previews,
        foreignKeys: keys.map(heldKey),
        locks: planLocks(targets, keys),
        ifUnchanged: token,
        ...(isChanged ? await foresee(client, found) : { issues: [], notices: [] }),
      };
    });
  });
}

/** What would be refused. Of foreign keys to or from tables that cannot be read, only the server knows. */
async function foresee(
  client: pg.Client,
  found: readonly FoundDifferences[],
): Promise<Pick<SnapshotPreview, 'issues' | 'notices'>> {
  const taken = await findTakenValues(client, found);
  try {
    return { issues: [...taken, ...(await findDanglingRows(client, found))], notices: [] };
  } catch (error) {
    if (!(error instanceof ThawError)) throw error;
    const { code, message: issue, object = null } = error;
    if (code === 'SchemaIncompatible') return { issues: [...taken, { issue, code, object }], notices: [] };
    if (code !== 'PermissionDenied' && code !== 'LockTimeout') throw error;
    return { issues: taken, notices: [`Whether rows break a foreign key was not looked at. ${issue}`] };
  }
}

/** How a diff is written. */
export interface DiffOptions {
  /** Told before the first difference what the tables are known by: for `SnapshotRequest.ifUnchanged`. */
  onToken(ifUnchanged: string): Promise<void>;
  /** Takes differences, some hundreds at a time. */
  onDifferences(differences: readonly SnapshotDifference[]): Promise<void>;
}

/**
 * Gives every difference of staged tables, as they are at one moment, and changes nothing.
 *
 * @param client in no transaction
 * @throws ThawError
 */
export async function diffTables(
  client: pg.Client,
  tables: readonly StagedTable[],
  { onToken, onDifferences }: DiffOptions,
): Promise<void> {
  await atOneMoment(client, async () => {
    await onToken(await aboutObject(all, () => contentToken(client, tables)));
    for (const [place, staged] of tables.entries()) {
      await aboutObject(tableName(staged.target), async () => {
        await checkStaged(client, staged);
        const differences = await findDifferences(client, staged, place);
        for await (const some of readDifferences(client, differences)) await onDifferences(some);
      });
    }
  });
}

/** Rolled back at the end, so that nothing is left of the tables that hold differences. */
async function atOneMoment<Result>(client: pg.Client, work: () => Promise<Result>): Promise<Result> {
  await client.query('begin isolation level repeatable read');
  try {
    await widenJoins(client);
    return await work();
  } finally {
    await client.query('rollback').catch(() => {});
  }
}

async function previewTable(
  client: pg.Client,
  { differences, changes }: FoundDifferences,
  { samples, values }: { readonly samples: number; readonly values: boolean },
): Promise<TablePreview> {
  const { target } = differences.staged;
  return aboutObject(tableName(target), async () => {
    const sampled = await sampleDifferences(client, differences, samples);
    const triggers = await readFiringTriggers(client, target.oid);
    return {
      ...changes,
      samples: sampled.map((difference) => sampleOf(difference, values)),
      triggers: [...new Set(triggers.map(({ name }) => name))],
    };
  });
}

function sampleOf({ kind, key, before, after }: SnapshotDifference, values: boolean): DifferenceSample {
  return values ? { kind, key, before, after } : { kind, key };
}

function heldKey({ key: { name, child, parent }, hold }: PlannedKey): HeldKey {
  return {
    name,
    table: { schema: child.schema, table: child.table },
    refersTo: { schema: parent.schema, table: parent.table },
    hold,
  };
}
