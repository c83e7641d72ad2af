import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type ArchivedRow, type ArchiveOptions, type Damage, raw, writeArchive } from './archive-writer.ts';
import { type FixtureSet, fixtureObjects } from './fixture.ts';

const plain: ArchiveOptions = {
  database: 'shop_db',
  table: 'orders',
  archivedAt: new Date('2026-01-04T05:20:21Z'),
  rows: [{ id: 1 }, { id: 2 }],
  primaryKey: 'id',
};

describe('writeArchive', () => {
  it.each<[FixtureSet, number]>([
    ['audit-logs', 9],
    ['shop', 12],
  ])('writes the archives of %s again as the archiver wrote them', async (set, count) => {
    const objects = new Map((await fixtureObjects(set)).map((object) => [object.key, object]));
    const archives = [...objects.keys()].filter((key) => key.endsWith('.jsonl.gz'));
    expect(archives).toHaveLength(count);
    for (const key of archives) {
      const real = async (suffix: string) => {
        const object = objects.get(key.replace('.jsonl.gz', suffix));
        return object === undefined ? null : await readFile(object.file);
      };
      const [data, metadata, manifest] = [
        await real('.jsonl.gz'),
        await real('.metadata.json'),
        await real('.manifest.json'),
      ];
      const info = JSON.parse(String(metadata));
      const lines = gunzipSync(data as Buffer).toString();
      const written = await write({
        ...info.batch_info,
        archivedAt: info.batch_info.archived_at,
        batch: info.batch_info.batch_number,
        rows: lines.split('\n').map(withoutOwnKeys),
        primaryKey: JSON.parse(String(manifest))?.manifest_info.primary_key_column ?? keyColumn(key),
        timestampColumn: 'created_at',
        tableSchema: info.table_schema,
        manifest: manifest !== null,
      });
      expect(written.key).toBe(key);
      expect(gunzipSync(written.object('.jsonl.gz')).toString()).toBe(lines);
      expect(comparable(written.object('.metadata.json'))).toBe(comparable(metadata as Buffer));
      expect(written.text('.manifest.json') === null).toBe(manifest === null);
      if (manifest === null) continue;
      expect(comparable(written.object('.manifest.json'))).toBe(comparable(manifest));
    }
  });

  it('writes numbers beyond 2^53, Python tokens and raw lexemes as they stand', async () => {
    const row = { id: 9223372036854775807n, a: raw('1.10'), b: Number.NaN, c: [1, raw('1e-07')], d: {} };
    const { jsonl } = await write({ ...plain, rows: [row] });
    expect(jsonl).toBe(
      '{"id": 9223372036854775807, "a": 1.10, "b": NaN, "c": [1, 1e-07], "d": {}, ' +
        '"_archived_at": "2026-01-04T05:20:21+00:00Z", "_batch_id": "d6aab41f2f9a1cb8", ' +
        '"_source_database": "shop_db", "_source_table": "orders"}',
    );
  });

  it('names an archive without prefix, of a batch above 999', async () => {
    const { key } = await write({ ...plain, prefix: '', batch: 1000 });
    expect(key).toBe('shop_db/orders/year=2026/month=01/day=04/orders_20260104T052021Z_batch_1000.jsonl.gz');
  });

  it.each<[Damage, string]>([
    ['flipped-byte', 'compressed_sha256'],
    ['truncated', 'compressed_sha256'],
    ['compressed-sha256', 'compressed_sha256'],
    ['jsonl-sha256', 'jsonl_sha256'],
    ['record-count', 'record_count'],
  ])('makes damage on demand: %s', async (corrupt, field) => {
    const good = await write(plain);
    const bad = await write({ ...plain, corrupt });
    const inData = corrupt === 'flipped-byte' || corrupt === 'truncated';
    expect(bad.object('.jsonl.gz').equals(good.object('.jsonl.gz'))).toBe(!inData);
    const changed = lineOf(bad, field) !== lineOf(good, field);
    expect(changed).toBe(!inData);
    if (inData) expect(() => gunzipSync(bad.object('.jsonl.gz'))).toThrow();
  });

  it('leaves metadata out on demand', async () => {
    const { text } = await write({ ...plain, corrupt: 'no-metadata' });
    expect(text('.metadata.json')).toBeNull();
    expect(text('.manifest.json')).not.toBeNull();
  });
});

async function write(options: ArchiveOptions) {
  const objects = new Map<string, Buffer>();
  const written = await writeArchive(async (key, body) => {
    objects.set(key, body);
  }, options);
  const find = (suffix: string) => objects.get(written.key.replace('.jsonl.gz', suffix));
  const object = (suffix: string) => find(suffix) ?? Buffer.alloc(0);
  const text = (suffix: string) => find(suffix)?.toString() ?? null;
  const whole = options.corrupt === undefined ? gunzipSync(object('.jsonl.gz')).toString() : null;
  return { ...written, object, text, jsonl: whole };
}

function lineOf({ text }: { text: (suffix: string) => string | null }, field: string): string | undefined {
  return text('.metadata.json')
    ?.split('\n')
    .find((line) => line.includes(field));
}

function withoutOwnKeys(line: string): ArchivedRow {
  const { _archived_at, _batch_id, _source_database, _source_table, ...row } = JSON.parse(line);
  return row;
}

function keyColumn(key: string): string {
  return key.includes('/tickets/') ? 'id' : 'order_id';
}

/** Without what the compressing library and the moment of deletion decide. */
function comparable(json: Buffer): string {
  return json.toString().replace(/"(compressed_\w+|compression_ratio|deleted_at)": [^\n]*/g, '"$1"');
}
