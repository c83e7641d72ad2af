import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RestoreOutcome } from '../../src/contract/outcome.ts';
import type { RestoreOptions, TableRequest } from '../../src/contract/restore-request.ts';
import { previewRestore } from '../../src/preview/restore-preview.ts';
import { type ArchivedRow, type ArchiveOptions, writeArchive } from '../harness/archive-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

let thaw: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('sources');
});

afterAll(async () => {
  await thaw.close();
});

/** Writes the archive of a batch with the rows `first` and `first + 1`. */
async function archive(table: string, batch: number, first: number, more: Partial<ArchiveOptions> = {}) {
  const rows: ArchivedRow[] = [first, first + 1].map((id) => ({
    id,
    note: `${more.schema ?? 'public'} ${id}`,
  }));
  return writeArchive(thaw.bucket.put, {
    database: thaw.database.name,
    table,
    archivedAt: new Date('2026-01-04T05:20:21Z'),
    batch,
    rows,
    primaryKey: 'id',
    ...more,
  });
}

async function makeTable(name: string): Promise<void> {
  await thaw.pg.query(`create table ${name} (id int primary key, note text)`);
}

async function idsOf(name: string): Promise<number[]> {
  const { rows } = await thaw.pg.query<{ id: number }>(`select id from ${name} order by id`);
  return rows.map(({ id }) => id);
}

async function restore(
  table: string | Partial<TableRequest>,
  keys: readonly string[] | null = null,
  options: Partial<RestoreOptions> = {},
): Promise<RestoreOutcome> {
  const request = { ...thaw.request([table], options), keys };
  await thaw.restores.start(request);
  return thaw.restores.outcome(request.restoreId);
}

test('takes from a folder of two schemas the archives of the one that is asked for, and says so', async () => {
  await thaw.pg.query('create schema sales');
  await makeTable('shared');
  await makeTable('sales.shared');
  // More than 32, so that archives of both schemas share packs.
  for (let batch = 1; batch <= 40; batch++) {
    await archive('shared', batch, batch * 10, { schema: batch % 4 === 0 ? 'sales' : 'public' });
  }
  const ids = (isOwn: (batch: number) => boolean) =>
    Array.from({ length: 40 }, (_, place) => place + 1)
      .filter(isOwn)
      .flatMap((batch) => [batch * 10, batch * 10 + 1]);

  // What would be restored is told apart, too, whether conflicts are counted or not.
  const left = '10 archives belong to the table of this name in schema sales and were left out.';
  for (const detectConflicts of [false, true]) {
    const signal = AbortSignal.timeout(60_000);
    const previewed = { config: thaw.config, env: {}, detectConflicts, signal };
    const [preview] = await previewRestore(thaw.request(['shared']), previewed);
    expect(preview).toMatchObject({ totals: { rows: 60, unknown: 0 } });
    expect(preview?.archives.length).toBe(30);
    expect([...(preview?.notices ?? []), ...(preview?.outcome?.notices ?? [])]).toEqual([left]);
    if (detectConflicts) expect(preview?.outcome?.tally.rows.inserted).toBe(60);
  }

  const ofPublic = await restore('shared');
  expect(ofPublic.state).toBe('completed');
  expect(ofPublic.tally.archives).toEqual({ restored: 30, earlier: 0, failed: 0, foreign: { sales: 10 } });
  expect(ofPublic.tables[0]?.notices).toEqual([left]);
  expect(await idsOf('shared')).toEqual(ids((batch) => batch % 4 !== 0));

  const ofSales = await restore({ table: 'shared', schema: 'sales' });
  expect(ofSales.tally.archives).toEqual({ restored: 10, earlier: 0, failed: 0, foreign: { public: 30 } });
  expect(await idsOf('sales.shared')).toEqual(ids((batch) => batch % 4 === 0));

  const again = await restore('shared');
  expect(again.tally.archives).toEqual({ restored: 0, earlier: 30, failed: 0, foreign: { sales: 10 } });
  expect(again.state).toBe('completed');
  const { rows } = await thaw.pg.query(
    `select state, foreign_schema, count(*)::int as archives from thaw.archives
     where restore_id = $1 group by 1, 2 order by 1`,
    [ofPublic.restoreId],
  );
  expect(rows).toEqual([
    { state: 'foreign', foreign_schema: 'sales', archives: 10 },
    { state: 'restored', foreign_schema: null, archives: 30 },
  ]);
});

test('fails where nothing tells whose an archive is, and where every one is of another schema', async () => {
  await makeTable('mixed');
  await archive('mixed', 1, 10, { schema: 'sales' });
  const lost = await archive('mixed', 2, 20, { corrupt: 'no-metadata' });
  await archive('mixed', 3, 30);

  const outcome = await restore('mixed', null, { lanes: 8 });
  expect(outcome.tally.archives).toEqual({ restored: 1, earlier: 0, failed: 1, foreign: { sales: 1 } });
  expect(outcome.tables[0]?.failures).toMatchObject([{ code: 'MetadataInvalid', archive: lost.key }]);
  const named = await restore('mixed', [lost.key]);
  expect(named.tally.archives).toEqual({ restored: 1, earlier: 0, failed: 0 });
  expect(await idsOf('mixed')).toEqual([20, 21, 30, 31]);

  await makeTable('abroad');
  const foreign = await archive('abroad', 1, 10, { schema: 'sales' });
  const none = await restore('abroad');
  expect(none).toMatchObject({ state: 'failed', tables: [{ error: { code: 'SchemaIncompatible' } }] });
  expect(none.tables[0]?.error?.message).toContain(
    '1 archive belongs to the table of this name in schema sales',
  );
  const asked = await restore('abroad', [foreign.key]);
  expect(asked.tables[0]?.failures).toMatchObject([{ code: 'SchemaIncompatible', archive: foreign.key }]);
  expect(await idsOf('abroad')).toEqual([]);
});

test('restores archives below {schema}/{table} too, with all the others in one order', async () => {
  await makeTable('variant');
  const moved = async (batch: number, first: number, note: string) => {
    const rows = [{ id: first, note }];
    const written = await archive('variant', batch, first, { rows });
    for (const key of [written.key, written.metadataKey]) {
      const to = key.replace('/variant/', '/public/variant/');
      const body = await thaw.bucket.get(key);
      await thaw.bucket.put(to, body);
      await thaw.bucket.client.send(new DeleteObjectCommand({ Bucket: thaw.bucket.bucket, Key: key }));
    }
    return written.key.replace('/variant/', '/public/variant/');
  };
  await moved(1, 1, 'first');
  await archive('variant', 2, 1, { rows: [{ id: 1, note: 'second' }] });
  const third = await moved(3, 1, 'third');
  await archive('variant', 4, 2, { rows: [{ id: 2, note: 'other' }] });

  const outcome = await restore('variant', null, { conflictStrategy: 'overwrite', lanes: 8 });
  expect(outcome.tally.archives).toEqual({ restored: 4, earlier: 0, failed: 0 });
  const notes = async () => (await thaw.pg.query('select id, note from variant order by id')).rows;
  expect(await notes()).toEqual([
    { id: 1, note: 'third' },
    { id: 2, note: 'other' },
  ]);
  await thaw.pg.query('delete from variant');
  const named = await restore('variant', [third], { ignoreWatermark: true });
  expect(named.tally.archives).toEqual({ restored: 1, earlier: 0, failed: 0 });
  expect(await notes()).toEqual([{ id: 1, note: 'third' }]);
});
