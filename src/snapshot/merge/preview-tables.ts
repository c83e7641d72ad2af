import type pg from 'pg';
import type {
  DifferenceSample,
  SnapshotDifference,
  SnapshotPreview,
  TablePreview,
} from '../../contract/snapshot-difference.ts';
import { countDifferences, findDifferences, type StagedTable } from '../../postgres/snapshot-differences.ts';
import { readDifferences, sampleDifferences } from '../../postgres/snapshot-rows.ts';
import { contentToken } from './content-token.ts';
import { aboutObject, checkStaged, tableName } from './staged-check.ts';

/** What a preview tells of the rows. */
export interface PreviewOptions {
  /** Differences of each kind that are told of each table. @default 5 */
  readonly samples?: number;
  /** Tells their values, not only their keys. @default false */
  readonly values?: boolean;
}

/**
 * Tells what a merge of staged tables would do, at one moment, and changes nothing: neither triggers nor foreign
 * keys nor unique indexes of rows that stay are asked.
 *
 * @param client in no transaction
 * @throws ThawError
 */
export async function previewTables(
  client: pg.Client,
  tables: readonly StagedTable[],
  { samples = 5, values = false }: PreviewOptions = {},
): Promise<SnapshotPreview> {
  return atOneMoment(client, async () => {
    const previews: TablePreview[] = [];
    for (const [place, staged] of tables.entries()) {
      await aboutObject(tableName(staged.target), async () => {
        await checkStaged(client, staged);
        const differences = await findDifferences(client, staged, place);
        const counts = await countDifferences(client, differences);
        const sampled = await sampleDifferences(client, differences, samples);
        previews.push({ ...counts, samples: sampled.map((difference) => sampleOf(difference, values)) });
      });
    }
    const token = await aboutObject('the tables of the snapshot', () => contentToken(client, tables));
    return { tables: previews, ifUnchanged: token };
  });
}

/**
 * Gives every difference of staged tables, as they are at one moment, some hundreds at a time, and changes nothing.
 *
 * @param client in no transaction
 * @throws ThawError
 */
export async function diffTables(
  client: pg.Client,
  tables: readonly StagedTable[],
  take: (differences: readonly SnapshotDifference[]) => Promise<void>,
): Promise<void> {
  await atOneMoment(client, async () => {
    for (const [place, staged] of tables.entries()) {
      await aboutObject(tableName(staged.target), async () => {
        await checkStaged(client, staged);
        const differences = await findDifferences(client, staged, place);
        for await (const some of readDifferences(client, differences)) await take(some);
      });
    }
  });
}

/** Rolled back at the end, so that nothing is left of the tables that hold differences. */
async function atOneMoment<Result>(client: pg.Client, work: () => Promise<Result>): Promise<Result> {
  await client.query('begin isolation level repeatable read');
  try {
    return await work();
  } finally {
    await client.query('rollback').catch(() => {});
  }
}

function sampleOf({ kind, key, before, after }: SnapshotDifference, values: boolean): DifferenceSample {
  return values ? { kind, key, before, after } : { kind, key };
}
