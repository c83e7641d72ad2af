import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RestoreOutcome } from '../../src/contract/outcome.ts';
import type { RestoreOptions } from '../../src/contract/restore-request.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

let thaw: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('files');
});

afterAll(async () => {
  await thaw.close();
});

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const gz = (...members: string[]) => Buffer.concat(members.map((text) => gzipSync(text)));

/** `{"id": 31, "note": "zstd"}` as zstd makes it. */
const zstd = Buffer.from('KLUv/QRY0QAAeyJpZCI6IDMxLCAibm90ZSI6ICJ6c3RkIn2gu4D3', 'base64');

/** Puts an object, and metadata that is right for it but for what is given. */
async function put(
  key: string,
  object: Buffer,
  jsonl: string | null,
  more: object = {},
  name = sibling(key),
) {
  await thaw.bucket.put(key, object);
  if (jsonl === null) return key;
  const text = Buffer.from(jsonl);
  const metadata = {
    batch_info: { database: thaw.database.name, schema: 'public', table: 'files' },
    data_info: { record_count: jsonl.split(/\r?\n/).filter((line) => line.trim() !== '').length },
    checksums: { jsonl_sha256: sha256(text), compressed_sha256: sha256(object).toUpperCase() },
    ...more,
  };
  await thaw.bucket.put(name, Buffer.from(JSON.stringify(metadata)));
  return key;
}

function sibling(key: string): string {
  return key.replace(/\.jsonl(\.\w+)?$/, '.metadata.json');
}

async function restore(
  keys: readonly string[] | null,
  options: Partial<RestoreOptions> = {},
): Promise<RestoreOutcome> {
  const request = { ...thaw.request(['files'], options), keys };
  await thaw.restores.start(request);
  return thaw.restores.outcome(request.restoreId);
}

test('files are read as they are: compressed or not, in every form of key and of metadata, in archive order', async () => {
  await thaw.pg.query("create table files (id int primary key, note text default 'none')");
  const folder = `archives/${thaw.database.name}/files`;
  const day = `${folder}/year=2026/month=01/day=04`;
  const key = (batch: string, ending = 'jsonl.gz') =>
    `${day}/files_20260104T000000Z_batch_${batch}.${ending}`;
  const line = (id: number, note: string) => JSON.stringify({ id, note });

  const members = [
    '{"id": 1, "note": "a\u2028b\u0085"}\r\n\n \r\n',
    '\n{"id": 2}\n',
    '{"id": 3, "note": null}\n\n',
  ];
  await put(key('001'), gz(...members), members.join(''));
  await put(key('002'), zstd, '{"id": 31, "note": "zstd"}');
  await put(key('003', 'jsonl'), Buffer.from(`\ufeff${line(4, 'plain')}`), null);
  await put(
    key('004'),
    Buffer.from(line(5, 'not gzip')),
    line(5, 'not gzip'),
    {},
    `${key('004')}.metadata.json`,
  );
  await put(key('005'), gz(''), '');
  await put(key('006', 'jsonl.zst'), gz(line(6, 'not zstd')), null);
  const malformed = await put(key('007'), gz(line(7, 'malformed')), line(7, 'malformed'));
  await thaw.bucket.put(sibling(malformed), Buffer.from('{"batch_info": '));
  // Without checksums, and with the names that the archiver's own reader takes as well.
  await put(key('008'), gz(line(8, 'other names')), line(8, 'other names'), {
    batch_info: { database_name: thaw.database.name, table_name: 'files' },
    data_info: { record_count: 1, total_size_bytes: 9, compression: 'gzip' },
    checksums: undefined,
    schema: {
      columns: [
        { name: 'id', type: 'integer', nullable: false },
        { name: 'note', type: 'text' },
      ],
    },
  });
  const refused = await put(
    key('009'),
    gz(line(9, 'good'), '\n', line(10, 'a\u0000b')),
    `${line(9, 'good')}\n${line(10, 'a\u0000b')}`,
  );
  // A listing has these in the other order.
  await put(key('101'), gz(line(100, 'earlier')), line(100, 'earlier'));
  await put(key('1000'), gz(line(100, 'later')), line(100, 'later'));
  await put(`${folder}/2026/01/05/files_20260105T000000Z_batch_001.jsonl.gz`, gz(line(100, 'last')), null);
  await put(`${folder}/loose.jsonl.gz`, gz(line(100, 'undated, so first')), null);
  const below = `archives/${thaw.database.name}/public/files/year=2026/month=01/day=04`;
  await put(`${below}/files_20260104T000000Z_batch_010.jsonl.gz`, gz(line(11, 'below public')), null);
  await put(key('001').replaceAll('files', 'files_old'), gz(line(12, 'sibling')), null);

  const outcome = await restore(null, { conflictStrategy: 'overwrite' });
  const { restored, failed } = outcome.tally.archives;
  expect({ restored, failed }).toEqual({ restored: 12, failed: 2 });
  expect(outcome.tables[0]?.failures).toMatchObject([
    { archive: malformed, code: 'MetadataInvalid' },
    { archive: refused, code: 'RowRejected' },
  ]);
  const rows = async () => (await thaw.pg.query('select id, note from files order by id')).rows;
  const good = [
    { id: 1, note: 'a\u2028b\u0085' },
    { id: 2, note: 'none' },
    { id: 3, note: null },
    { id: 4, note: 'plain' },
    { id: 5, note: 'not gzip' },
    { id: 6, note: 'not zstd' },
    { id: 8, note: 'other names' },
    { id: 11, note: 'below public' },
    { id: 31, note: 'zstd' },
    { id: 100, note: 'last' },
  ];
  expect(await rows()).toEqual(good);

  // What is put right is restored next, named without the prefix, and its bad row is left out.
  await thaw.bucket.put(
    sibling(malformed),
    Buffer.from('{"batch_info": {"database": "x", "table": "files"}, "data_info": {}}'),
  );
  const named = [malformed, refused].map((each) => each.slice('archives/'.length));
  const again = await restore(named, { maxRejects: 1 });
  expect(again.tally).toMatchObject({
    archives: { restored: 2, failed: 0 },
    rows: { inserted: 2, failed: 1 },
  });
  expect(await rows()).toEqual(
    [...good, { id: 7, note: 'malformed' }, { id: 9, note: 'good' }].sort((a, b) => a.id - b.id),
  );
  const { rows: rejected } = await thaw.pg.query('select line from thaw.rejected_rows');
  expect(rejected).toEqual([{ line: '2' }]);
});
