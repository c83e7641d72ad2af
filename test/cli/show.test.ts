import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { raw } from '../harness/archive-writer.ts';
import { createFolderSite, type FolderSite } from './folder-site.ts';

let shop: FolderSite;
let own: FolderSite;
beforeAll(async () => {
  shop = await createFolderSite('shop');
  own = await createFolderSite();
});
afterAll(async () => {
  await shop.remove();
  await own.remove();
});

const second = 'archives/shop_db/orders/year=2026/month=01/day=04/orders_20260104T070000Z_batch_002.jsonl.gz';

describe('thaw show', () => {
  it('shows metadata, the schema of the first batch of its run, and the first records', async () => {
    const { exitCode, stdout } = await shop.thaw('show', '-n', '2', second);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`  Archive              ${second}\n`);
    expect(stdout).toContain('  Table                public.orders of shop_db\n');
    expect(stdout).toContain('  Records              60\n');
    expect(stdout).toContain(`Schema, by ${second.replace('batch_002', 'batch_001')}\n`);
    expect(stdout).toContain('  100%         numeric(5,2)\n');
    expect(stdout).toContain("  status       text not null default 'new'::text\n");
    expect(stdout).toContain('  primary key: order_id\n');
    expect(stdout).toMatch(/\nRecord 1\n {2}order_id {5}61\n/);
    expect(stdout).toMatch(/\nRecord 2\n {2}order_id {5}62\n/);
    expect(stdout).not.toContain('Record 3');
    expect(stdout).toMatch(
      /\nArchiver's columns, not restored\n {2}_archived_at {6}"2026-01-04T07:00:00\.887512/,
    );
  });

  it('takes the key without prefix, and gives JSON', async () => {
    const { stdout } = await shop.thaw('show', '-n', '1', '--json', second.replace('archives/', ''));
    const peek = JSON.parse(stdout);
    expect(peek).toMatchObject({
      key: second,
      metadata: { recordCount: 60, table: 'orders' },
      schemaFrom: second.replace('batch_002', 'batch_001'),
      archiver: { _source_table: 'orders' },
      records: [{ order_id: 61, 'Order Date': '2025-09-25' }],
    });
    expect(Object.keys(peek.records[0])).not.toContain('_batch_id');
    expect(peek.schema.columns).toHaveLength(11);
  });

  it('keeps values as they are archived, and does not let them act on a terminal', async () => {
    const row = {
      id: raw('12345678901234567890.10'),
      nan: raw('NaN'),
      empty: '',
      none: null,
      csi: '\u009b31m',
    };
    const { key } = await own.archive({
      ...{ database: 'app', table: 'items', archivedAt: '2026-01-04T05:20:21+00:00' },
      ...{ rows: [row], corrupt: 'no-metadata' },
    });
    const text = (await own.thaw('show', key)).stdout;
    expect(text).toContain('  id     12345678901234567890.10\n');
    expect(text).toContain('  nan    NaN\n  empty  ""\n  none   null\n  csi    "\\u009b31m"\n');
    expect(text).toContain('none: nothing tells whether it is whole');
    const json = (await own.thaw('show', '--json', key)).stdout;
    expect(json).toContain('"id":12345678901234567890.10,"nan":"NaN","empty":"","none":null');
    expect(JSON.parse(json)).toMatchObject({ metadata: null, schema: null });
  });

  it('ends with 2 for an archive that is not there', async () => {
    const { exitCode, stdout, stderr } = await own.thaw('show', 'app/nope.jsonl.gz');
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain('ArchiveNotFound: ');
  });
});
