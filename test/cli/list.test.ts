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
              schema: 'public',
              archives: 4,
              bytes: 15667,
              rows: 770,
              archivesWithoutCount: 0,
              firstDay: '2026-01-04',
              lastDay: '2026-01-20',
            },
            {
              table: 'orders',
              schema: 'public',
              archives: 6,
              bytes: 9263,
              rows: 300,
              archivesWithoutCount: 0,
              firstDay: '2026-01-04',
              lastDay: '2026-01-20',
            },
            {
              table: 'tickets',
              schema: 'public',
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

  it('tells tables apart that share a folder', async () => {
    const site = await createFolderSite();
    try {
      const made: string[] = [];
      for (const [place, schema] of ['public', 'sales', 'public'].entries()) {
        const rows = [{ id: place }, { id: place + 10 }];
        const at = { archivedAt: '2026-01-04T05:20:21+00:00', batch: place + 1 };
        made.push((await site.archive({ database: 'app', table: 'items', ...at, rows, schema })).key);
      }
      // Nothing tells whose it is.
      const lost = {
        archivedAt: '2026-02-03T05:20:21+00:00',
        corrupt: 'no-metadata',
        rows: [{ id: 7 }],
      } as const;
      made.push((await site.archive({ database: 'app', table: 'items', ...lost })).key);

      const tables = (await site.thaw('list')).stdout;
      expect(tables).toMatch(/^DATABASE {2}SCHEMA {2}TABLE {2}ARCHIVES {2}ROWS {2}/);
      expect(tables).toMatch(/^app {7}\? {7}items {9}1 {4}0\+ .* 2026-02-03 {2}2026-02-03$/m);
      expect(tables).toMatch(/^app {7}public {2}items {9}2 {5}4 .* 2026-01-04 {2}2026-01-04$/m);
      expect(tables).toMatch(/^app {7}sales {3}items {9}1 {5}2 /m);
      const [database] = JSON.parse((await site.thaw('list', '--json')).stdout).databases;
      expect(database.tables).toMatchObject([
        { schema: null, archives: 1, rows: 0, archivesWithoutCount: 1 },
        { schema: 'public', archives: 2, rows: 4 },
        { schema: 'sales', archives: 1, rows: 2 },
      ]);

      const archives = await site.thaw('list', '--table', 'items');
      expect(archives.stdout).toMatch(/^ .*Z {2}sales {3}archives\/app\/items\/.*_batch_002\.jsonl\.gz$/m);
      expect(archives.stdout).toContain('  of schema public: 2\n  of schema sales: 1\n  of schema ?: 1\n');
      const listed = JSON.parse((await site.thaw('list', '--table', 'items', '--json')).stdout).archives;
      expect(listed.map((each: { key: string }) => each.key)).toEqual(made);
      expect(listed.map(({ schema, rows }: { schema: string; rows: number }) => [schema, rows])).toEqual([
        ...[
          ['public', 2],
          ['sales', 2],
          ['public', 2],
          [null, null],
        ],
      ]);
    } finally {
      await site.remove();
    }
  });
});
