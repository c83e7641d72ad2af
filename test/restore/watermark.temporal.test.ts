import { GetObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RestoreOutcome } from '../../src/contract/outcome.ts';
import type { Damage } from '../harness/archive-writer.ts';
import { writeArchive } from '../harness/archive-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

let thaw: TestThaw;
let inDatabase: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('watermark', 'worker', {
    watermark: { storage_type: 'both', update_after_each_archive: false },
  });
  inDatabase = await createTestThaw('watermark_db', 'worker', { watermark: { storage_type: 'database' } });
});

afterAll(async () => {
  await thaw.close();
  await inDatabase.close();
});

describe('kept in both places', () => {
  test('stays before the first archive that failed, and moves on once that is restored', async () => {
    await table(thaw, 'gapped');
    await archive(thaw, 'gapped', 4, 1);
    await archive(thaw, 'gapped', 5, 2, 'flipped-byte');
    await archive(thaw, 'gapped', 6, 3);

    const first = await thaw.restore(['gapped']);

    expect(first.tally.archives).toEqual({ restored: 2, earlier: 0, failed: 1 });
    await expectWatermark('gapped', 4, 1, 2);

    await archive(thaw, 'gapped', 5, 2);
    expect((await thaw.restore(['gapped'])).tally.archives).toEqual({ restored: 1, earlier: 2, failed: 0 });
    await expectWatermark('gapped', 6, 3, 3);
  });

  test('hides neither an older archive that comes late nor a new one of its day', async () => {
    await table(thaw, 'late');
    await archive(thaw, 'late', 5, 1);
    await thaw.restore(['late']);
    await expectWatermark('late', 5, 1, 1);

    await archive(thaw, 'late', 4, 2);
    await archive(thaw, 'late', 5, 3);
    const outcome = await thaw.restore(['late']);

    expect(outcome.tally.archives).toEqual({ restored: 2, earlier: 1, failed: 0 });
    expect(await idsOf(thaw, 'late')).toEqual([1, 2, 3]);
    await expectWatermark('late', 5, 3, 3);
  });

  test('is not written for named archives, nor for a part of their rows', async () => {
    await table(thaw, 'parts');
    const { key } = await archive(thaw, 'parts', 4, 1);
    expect((await restoreNamed('parts', [key])).tally.archives.restored).toBe(1);
    await thaw.restore(['parts'], { columns: ['id'], ignoreWatermark: true });

    expect(await objectOf(thaw, 'parts')).toBeNull();
    expect(await rowOf(thaw, 'parts')).toBeNull();
  });

  test('keeps no named archive back, and the restore says so', async () => {
    await table(thaw, 'again');
    const { key } = await archive(thaw, 'again', 4, 1);
    const { key: other } = await archive(thaw, 'again', 4, 2);
    await thaw.restore(['again']);
    await thaw.pg.query('delete from again where id = 1');
    const before = await objectOf(thaw, 'again');

    const again = await restoreNamed('again', [key]);
    expect(again.tally).toMatchObject({ archives: { restored: 1, earlier: 0 }, rows: { inserted: 1 } });
    expect(again.tables[0]?.notices).toEqual([
      `Restored again, as named by key, though the ledger has it as restored: ${key}`,
    ]);
    expect(await idsOf(thaw, 'again')).toEqual([1, 2]);
    expect(await objectOf(thaw, 'again')).toBe(before);
    const { rows } = await thaw.pg.query(
      `select state from thaw.archives where restore_id = $1 and key = $2`,
      [again.restoreId, key],
    );
    expect(rows).toEqual([{ state: 'restored' }]);

    // Where the ledger knows nothing, what another tool wrote is told, and left alone.
    await table(thaw, 'again_old');
    const { key: old } = await archive(thaw, 'again_old', 4, 1);
    await thaw.bucket.put(watermarkKey(thaw, 'again_old'), foreign('again_old', 5, 'archives/elsewhere'));
    expect((await restoreNamed('again_old', [old])).tables[0]?.notices).toEqual([
      `Restored again, as named by key, though the watermark has it as restored: ${old}`,
    ]);
    expect(await objectOf(thaw, 'again_old')).toBe(foreign('again_old', 5, 'archives/elsewhere'));

    const { key: late } = await archive(thaw, 'again', 6, 3);
    expect((await restoreNamed('again', [key, other, late])).tables[0]?.notices).toEqual([
      'Restored again, as named by key, though the ledger has it as restored: 2 of 3 archives',
    ]);
  });

  test('that cannot be written is a notice', async () => {
    await table(thaw, 'refused');
    await archive(thaw, 'refused', 4, 1);
    await thaw.pg.query(
      `alter table restore_watermarks add constraint refused check (table_name <> 'refused')`,
    );

    const outcome = await thaw.restore(['refused']);

    expect(outcome).toMatchObject({ state: 'completed', tally: { archives: { restored: 1 } } });
    expect(outcome.tables[0]?.notices).toContainEqual(expect.stringMatching(/^The watermark is not written/));
    expect(await rowOf(thaw, 'refused')).toBeNull();
    expect(await objectOf(thaw, 'refused')).not.toBeNull();
  });
});

describe('of another tool, beside an empty ledger', () => {
  test('is refused until the user trusts it, and then what it passes counts as restored', async () => {
    await table(thaw, 'old');
    await archive(thaw, 'old', 4, 1);
    const { key } = await archive(thaw, 'old', 5, 2);
    await archive(thaw, 'old', 5, 3);
    await archive(thaw, 'old', 6, 4);
    await thaw.bucket.put(watermarkKey(thaw, 'old'), foreign('old', 5, key));

    const refused = await thaw.restore(['old']);
    expect(refused.tables[0]?.error).toMatchObject({
      code: 'InputInvalid',
      message: expect.stringContaining('restored up to 2026-01-05'),
      hint: expect.stringMatching(/--trust-watermark .*--ignore-watermark /),
    });
    expect(await idsOf(thaw, 'old')).toEqual([]);
    expect(await objectOf(thaw, 'old')).toBe(foreign('old', 5, key));

    const trusting = await thaw.restore(['old'], { trustWatermark: true });
    expect(trusting.tally.archives).toEqual({ restored: 2, earlier: 2, failed: 0 });
    expect(trusting.tables[0]?.notices).toContain(
      '2 archives count as restored, as the watermark of another tool says (--trust-watermark).',
    );
    expect(await idsOf(thaw, 'old')).toEqual([3, 4]);
    await expectWatermark('old', 6, 4, 4);

    // The ledger keeps it: a late archive comes, and what was trusted is not asked about again.
    await archive(thaw, 'old', 4, 5);
    expect((await thaw.restore(['old'])).tally.archives).toEqual({ restored: 1, earlier: 4, failed: 0 });
    expect(await idsOf(thaw, 'old')).toEqual([3, 4, 5]);
  });

  test('is passed over where it is ignored, and never put back', async () => {
    await table(thaw, 'ignored');
    await archive(thaw, 'ignored', 4, 1);
    const ahead = foreign('ignored', 9, 'archives/elsewhere');
    await thaw.bucket.put(watermarkKey(thaw, 'ignored'), ahead);

    const outcome = await thaw.restore(['ignored'], { ignoreWatermark: true });

    expect(outcome.tally.archives).toEqual({ restored: 1, earlier: 0, failed: 0 });
    expect(await objectOf(thaw, 'ignored')).toBe(ahead);
    expect(await rowOf(thaw, 'ignored')).toMatchObject({ key: keyOf(thaw, 'ignored', 4, 1) });
  });

  test('is read from the database, too', async () => {
    await table(inDatabase, 'old');
    const { key } = await archive(inDatabase, 'old', 4, 1);
    await archive(inDatabase, 'old', 5, 2);
    await inDatabase.pg.query(`
      create table if not exists restore_watermarks (
        database_name text not null, table_name text not null, last_restored_date timestamptz not null,
        last_restored_s3_key text not null, total_archives_restored integer not null default 0,
        updated_at timestamptz not null default now(), primary key (database_name, table_name))`);
    await inDatabase.pg.query(
      `insert into restore_watermarks values ($1, 'old', '2026-01-04T00:00:00Z', $2, 1)`,
      [inDatabase.database.name, key],
    );
    expect((await inDatabase.restore(['old'])).tables[0]?.error?.code).toBe('InputInvalid');

    const outcome = await inDatabase.restore(['old'], { trustWatermark: true });

    expect(outcome.tally.archives).toEqual({ restored: 1, earlier: 1, failed: 0 });
    expect(await rowOf(inDatabase, 'old')).toEqual({
      database: inDatabase.database.name,
      date: '2026-01-05 00:00:00',
      key: keyOf(inDatabase, 'old', 5, 2),
      total: 2,
    });
    expect(await objectOf(inDatabase, 'old')).toBeNull();
  });
});

test('is written while the restore goes on', async () => {
  await table(inDatabase, 'going');
  await archive(inDatabase, 'going', 4, 1);
  await archive(inDatabase, 'going', 5, 2);
  // The second archive waits for whoever inserts the same key.
  await inDatabase.pg.query('begin');
  await inDatabase.pg.query('insert into going values (2)');
  const request = inDatabase.request(['going'], { packBytes: 0 });
  await inDatabase.restores.start(request);
  const other = await inDatabase.database.client();
  const read = async () => {
    const { rows } = await other.query<{ key: string }>(
      `select last_restored_s3_key as key from restore_watermarks where table_name = 'going'`,
    );
    return rows[0]?.key;
  };
  await expect.poll(read, { timeout: 20_000 }).toBe(keyOf(inDatabase, 'going', 4, 1));
  await inDatabase.pg.query('rollback');
  await inDatabase.restores.outcome(request.restoreId);
  expect(await read()).toBe(keyOf(inDatabase, 'going', 5, 2));
});

async function table(at: TestThaw, name: string): Promise<void> {
  await at.pg.query(`create table ${name} (id int primary key)`);
}

/** What `--s3-key` asks for. */
async function restoreNamed(name: string, keys: readonly string[]): Promise<RestoreOutcome> {
  const request = { ...thaw.request([name], { ignoreWatermark: true }), keys };
  await thaw.restores.start(request);
  return thaw.restores.outcome(request.restoreId);
}

/** One row, whose id is the number of the batch. */
function archive(at: TestThaw, name: string, day: number, batch: number, corrupt?: Damage) {
  return writeArchive(at.bucket.put, {
    database: at.database.name,
    table: name,
    archivedAt: `2026-01-0${day}T05:20:21+00:00`,
    batch,
    rows: [{ id: batch }],
    primaryKey: 'id',
    ...(corrupt === undefined ? {} : { corrupt }),
  });
}

function keyOf(at: TestThaw, name: string, day: number, batch: number): string {
  const stem = `${name}_2026010${day}T052021Z_batch_00${batch}`;
  return `archives/${at.database.name}/${name}/year=2026/month=01/day=0${day}/${stem}.jsonl.gz`;
}

function watermarkKey(at: TestThaw, name: string): string {
  return `archives/${at.database.name}/${name}/.restore_watermark.json`;
}

/** As the archiver's own tool writes it. */
function foreign(name: string, day: number, key: string): string {
  return `{
  "version": "1.0",
  "database": "${thaw.database.name}",
  "table": "${name}",
  "last_restored_date": "2026-01-0${day}T00:00:00+00:00",
  "last_restored_s3_key": "${key}",
  "total_archives_restored": 2,
  "updated_at": "2026-02-01T10:00:00.123456+00:00"
}`;
}

/** Both places, to the letter. */
async function expectWatermark(name: string, day: number, batch: number, total: number): Promise<void> {
  const { host, port, name: database } = thaw.database;
  const { rows } = await thaw.pg.query<{ oid: number }>(`select $1::regclass::oid as oid`, [name]);
  const text = (await objectOf(thaw, name)) ?? '';
  const time = /"updated_at": "(\d{4}-\d{2}-\d{2}T[\d:]{8}\.\d{6}\+00:00)"/.exec(text)?.[1] ?? 'no time';
  expect(text).toBe(`{
  "version": "1.0",
  "database": "${database}",
  "table": "${name}",
  "last_restored_date": "2026-01-0${day}T00:00:00+00:00",
  "last_restored_s3_key": "${keyOf(thaw, name, day, batch)}",
  "total_archives_restored": ${total},
  "updated_at": "${time}",
  "target": "${host}:${port}/${database}/public.${name}#${rows[0]?.oid}"
}`);
  const row = { database, date: `2026-01-0${day} 00:00:00`, key: keyOf(thaw, name, day, batch), total };
  expect(await rowOf(thaw, name)).toEqual(row);
}

async function objectOf(at: TestThaw, name: string): Promise<string | null> {
  const { bucket, client, keys } = at.bucket;
  const key = watermarkKey(at, name);
  if (!(await keys(key)).includes(key)) return null;
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return (await Body?.transformToString()) ?? null;
}

async function rowOf(at: TestThaw, name: string): Promise<unknown> {
  const { rows } = await at.pg.query(
    `select database_name as database, (last_restored_date at time zone 'UTC')::text as date,
       last_restored_s3_key as key, total_archives_restored as total
     from restore_watermarks where table_name = $1`,
    [name],
  );
  return rows[0] ?? null;
}

async function idsOf(at: TestThaw, name: string): Promise<number[]> {
  const { rows } = await at.pg.query<{ id: number }>(`select id from ${name} order by id`);
  return rows.map(({ id }) => id);
}
