import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/contract/error-code.ts';
import type { RestoreOutcome } from '../../src/contract/outcome.ts';
import type { RestoreOptions } from '../../src/contract/restore-request.ts';
import { raw } from '../harness/archive-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { ArchivedTable, expectNoSessions } from './archived-table.ts';
import { expectSoundHistories } from './histories.ts';

let thaw: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('damage');
});

afterAll(async () => {
  await thaw.close();
});

/** What is done to an archive, and what a restore must say of it. */
interface Case {
  readonly what: string;
  readonly code: ErrorCode;
  readonly damage: (table: ArchivedTable, archive: number) => Promise<void>;
}

const cases: readonly Case[] = [
  {
    what: 'a flipped byte',
    code: 'ChecksumMismatch',
    damage: (table, archive) => table.write(archive, { corrupt: 'flipped-byte' }),
  },
  {
    what: 'a truncated gzip',
    code: 'ChecksumMismatch',
    damage: (table, archive) => table.write(archive, { corrupt: 'truncated' }),
  },
  {
    what: 'a truncated gzip without metadata',
    code: 'ArchiveCorrupt',
    damage: async (table, archive) => {
      await table.write(archive, { corrupt: 'truncated' });
      await remove(table.keyOf(archive).replace('.jsonl.gz', '.metadata.json'));
    },
  },
  {
    what: 'a wrong record_count',
    code: 'CountMismatch',
    damage: (table, archive) => table.write(archive, { corrupt: 'record-count' }),
  },
  {
    what: 'a wrong jsonl_sha256',
    code: 'ChecksumMismatch',
    damage: (table, archive) => table.write(archive, { corrupt: 'jsonl-sha256' }),
  },
  {
    what: 'a wrong compressed_sha256',
    code: 'ChecksumMismatch',
    damage: (table, archive) => table.write(archive, { corrupt: 'compressed-sha256' }),
  },
  {
    what: 'malformed metadata',
    code: 'MetadataInvalid',
    damage: (table, archive) =>
      thaw.bucket.put(table.keyOf(archive).replace('.jsonl.gz', '.metadata.json'), '{"version": "1.0", '),
  },
  {
    what: 'text where an integer is due',
    code: 'RowRejected',
    damage: (table, archive) =>
      table.write(archive, {
        rows: table
          .rows(archive)
          .map((row, place) => ({ ...row, archive: place === 5 ? raw('"seven"') : row.archive })),
      }),
  },
  {
    what: 'a missing object',
    code: 'ArchiveNotFound',
    damage: (table, archive) => remove(table.keyOf(archive)),
  },
];

/** Options, and as many archives as it takes for them to be singles or packs. */
const ways: readonly {
  readonly way: string;
  readonly archives: number;
  readonly options: Partial<RestoreOptions>;
}[] = [
  { way: 'single archives', archives: 13, options: {} },
  { way: 'one pack', archives: 40, options: {} },
  {
    way: 'packs that meet conflicts',
    archives: 40,
    options: { conflictStrategy: 'overwrite', packBytes: 20_000 },
  },
];

test.each(ways)('each damaged archive fails alone, among $way', async ({ way, archives, options }) => {
  const name = `damaged_${way.replaceAll(' ', '_')}`;
  const table = await ArchivedTable.create(thaw, { table: name, archives, rows: 50 });
  if (options.conflictStrategy === 'overwrite') {
    await thaw.pg.query(`insert into ${name} select id, -1, 'old' from generate_series(0, $1) as id`, [
      archives * 50 - 1,
    ]);
  }
  const damaged = cases.map((each, place) => ({ ...each, archive: 1 + place }));
  for (const { damage, archive } of damaged) await damage(table, archive);
  const sound = table.keys
    .map((_, archive) => archive)
    .filter((archive) => !damaged.some((each) => each.archive === archive));

  const outcome = await restore(table, options);

  expect(outcome.state).toBe('completed_with_failures');
  expect(outcome.tally.archives).toEqual({ restored: sound.length, earlier: 0, failed: damaged.length });
  expect(outcome.tally.rows.inserted + outcome.tally.rows.updated).toBe(sound.length * 50);
  const failures = [...(outcome.tables[0]?.failures ?? [])].sort((a, b) => (a.archive < b.archive ? -1 : 1));
  expect(failures.map(({ archive, code }) => [archive, code])).toEqual(
    damaged.map(({ archive, code }) => [table.keyOf(archive), code]),
  );
  for (const { archive, code, message, hint } of failures) {
    // Where the metadata is to blame, that object is named.
    expect(message, code).toContain(archive.replace('.jsonl.gz', ''));
    expect(hint, code).not.toBe('');
    expect(message, 'no content of a row').not.toContain('seven');
  }
  await table.expectLedger(outcome.restoreId, sound);
  await expectRows(table, sound);

  for (const { archive } of damaged) await table.write(archive);
  const repaired = await restore(table, options);

  expect(repaired.state).toBe('completed');
  expect(repaired.tally.archives).toEqual({ restored: damaged.length, earlier: sound.length, failed: 0 });
  await table.expectLedger(
    repaired.restoreId,
    damaged.map(({ archive }) => archive),
  );
  await table.expectRestored('overwrite');
  await expectSoundHistories(thaw.client, outcome.restoreId);
  await expectNoSessions(thaw.pg);
});

/** Restores a table by its keys, so that one that is not there is asked for. */
async function restore(table: ArchivedTable, options: Partial<RestoreOptions>): Promise<RestoreOutcome> {
  const request = { ...thaw.request([table.shape.table], options), keys: table.keys };
  await thaw.restores.start(request);
  return thaw.restores.outcome(request.restoreId);
}

/** Fails unless the table has all rows of some archives, and none of the others. */
async function expectRows(table: ArchivedTable, archives: readonly number[]): Promise<void> {
  const { rows } = await thaw.pg.query<{ archive: number; rows: number }>(
    `select archive, count(*)::int as rows from ${table.shape.table}
     where archive >= 0 group by archive order by archive`,
  );
  expect(rows).toEqual(archives.map((archive) => ({ archive, rows: 50 })));
}

async function remove(key: string): Promise<void> {
  await thaw.bucket.client.send(new DeleteObjectCommand({ Bucket: thaw.bucket.bucket, Key: key }));
}
