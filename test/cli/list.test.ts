import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFolderSite, type FolderSite } from './folder-site.ts';

let shop: FolderSite;
beforeAll(async () => {
  shop = await createFolderSite('shop');
});
afterAll(() => shop.remove());

describe('thaw list', () => {
  it('tells which tables have archives, how many and of which days', async () => {
    const { exitCode, stdout } = await shop.thaw('list', '--no-rows');
    expect(exitCode).toBe(0);
    expect(stdout.split('\n')).toEqual([
      'DATABASE  TABLE       ARCHIVES     BYTES  FIRST DAY   LAST DAY',
      'shop_db   line_items         4  15.3 KiB  2026-01-04  2026-01-20',
      'shop_db   orders             6   9.0 KiB  2026-01-04  2026-01-20',
      'shop_db   tickets            2   1.7 KiB  2026-01-04  2026-01-04',
      `3 tables, 12 archives, 26.0 KiB below file://${shop.folder}/archives/`,
      '',
    ]);
  });

  it('counts rows by metadata unless it is asked not to', async () => {
    const { stdout } = await shop.thaw('list', '--database', 'shop_db', '--json');
    expect(JSON.parse(stdout)).toEqual({
      databases: [
        {
          database: 'shop_db',
          tables: [
            {
              table: 'line_items',
              archives: 4,
              bytes: 15667,
              rows: 770,
              archivesWithoutCount: 0,
              firstDay: '2026-01-04',
              lastDay: '2026-01-20',
            },
            {
              table: 'orders',
              archives: 6,
              bytes: 9263,
              rows: 300,
              archivesWithoutCount: 0,
              firstDay: '2026-01-04',
              lastDay: '2026-01-20',
            },
            {
              table: 'tickets',
              archives: 2,
              bytes: 1740,
              rows: 120,
              archivesWithoutCount: 0,
              firstDay: '2026-01-04',
              lastDay: '2026-01-04',
            },
          ],
        },
      ],
    });
  });

  it('still lists the archives of a table', async () => {
    const { stdout } = await shop.thaw('list', '--database', 'shop_db', '--table', 'tickets');
    expect(stdout).toMatch(
      /batch_001\.jsonl\.gz\n.*batch_002\.jsonl\.gz\n2 archives of shop_db\.tickets, 1\.7 KiB\n$/,
    );
  });

  it('finds databases that are not configured, counts only what tells its rows, and knows nothing of an unknown one', async () => {
    const site = await createFolderSite();
    try {
      const rows = [{ id: 1 }, { id: 2 }];
      const other = { database: 'other_db', table: 't', rows } as const;
      await site.archive({ ...other, archivedAt: '2026-01-04T05:20:21+00:00' });
      await site.archive({ ...other, archivedAt: '2026-02-03T05:20:21+00:00', corrupt: 'no-metadata' });
      const { stdout } = await site.thaw('list');
      expect(stdout).toMatch(/^other_db {2}t {13}2 {4}2\+ .* 2026-01-04 {2}2026-02-03$/m);
      expect((await site.thaw('list', '--database', 'other_db')).exitCode).toBe(0);
      expect(await site.thaw('list', '--database', 'nope')).toMatchObject({ exitCode: 1, stdout: '' });
      expect((await site.thaw('list', '--database', 'app')).stdout).toBe(
        `No archives below file://${site.folder}/archives/app/\n`,
      );
    } finally {
      await site.remove();
    }
  });
});
