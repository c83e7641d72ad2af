import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ArchivedRow, writeArchive } from '../harness/archive-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

let thaw: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('foreign_keys');
});

afterAll(async () => {
  await thaw.close();
});

async function archive(table: string, archives: readonly (readonly ArchivedRow[])[]): Promise<void> {
  for (const [place, rows] of archives.entries()) {
    await writeArchive(thaw.bucket.put, {
      ...{ database: thaw.database.name, table, rows },
      ...{ archivedAt: new Date('2026-01-04T05:20:21Z'), batch: place + 1, primaryKey: 'id' },
    });
  }
}

async function query(text: string): Promise<unknown[]> {
  return (await thaw.pg.query(text)).rows;
}

test('parents come first over composite keys and partitions, and rows without a parent fail by themselves', async () => {
  await thaw.pg.query(`
    create table shops (country text, id int, primary key (country, id)) partition by list (country);
    create table shops_de partition of shops for values in ('de');
    create table shops_fr partition of shops for values in ('fr');
    create table sales (
      id int primary key, country text, shop int, constraint sold_in foreign key (country, shop) references shops);
    create table returns (id int primary key references sales)`);
  const sale = (id: number, country: string, shop: number) => ({ id, country, shop });
  await archive('shops', [[{ country: 'de', id: 1 }], [{ country: 'fr', id: 1 }]]);
  await archive('sales', [
    [sale(1, 'de', 1), sale(2, 'fr', 1)],
    [sale(3, 'fr', 2), sale(4, 'de', 1)],
  ]);
  await archive('returns', [[{ id: 2 }], [{ id: 4 }]]);

  const { state, tables } = await thaw.restore(['returns', 'sales', 'shops']);

  expect(state).toBe('completed_with_failures');
  expect(tables.map(({ target, tally }) => [target, tally.rows.inserted])).toEqual([
    ['public.returns', 1],
    ['public.sales', 2],
    ['public.shops', 2],
  ]);
  expect(tables.flatMap(({ failures }) => failures)).toMatchObject([
    { code: 'RowRejected', message: expect.stringContaining('returns_id_fkey') },
    { code: 'RowRejected', message: expect.stringContaining('sold_in') },
  ]);

  // What failed is restored once its parents are there, and nothing else is.
  await thaw.pg.query(`insert into shops values ('fr', 2)`);
  const again = await thaw.restore(['returns', 'sales', 'shops']);
  expect(again).toMatchObject({ state: 'completed', tally: { rows: { inserted: 3 } } });
  expect(await query('select id from sales order by id')).toEqual([1, 2, 3, 4].map((id) => ({ id })));
  expect(await query('select id from returns order by id')).toEqual([{ id: 2 }, { id: 4 }]);
});

test('tables that refer to each other fail with what to do, and come in once it is done', async () => {
  await thaw.pg.query(`
    create table teams (id int primary key, owner int);
    create table people (id int primary key, team int references teams);
    alter table teams add constraint owned foreign key (owner) references people`);
  await archive('teams', [[{ id: 1, owner: 10 }], [{ id: 2, owner: null }]]);
  await archive('people', [[{ id: 10, team: 1 }], [{ id: 20, team: 2 }]]);

  const { tables } = await thaw.restore(['teams', 'people']);
  expect(tables.map(({ failures }) => failures)).toMatchObject([
    [
      {
        code: 'RowRejected',
        message: expect.stringContaining('owned'),
        hint: expect.stringContaining('circle'),
      },
    ],
    [{ code: 'RowRejected' }],
  ]);
  expect(await query('select id from teams')).toEqual([{ id: 2 }]);
  expect(await query('select id from people')).toEqual([{ id: 20 }]);

  await thaw.pg.query('alter table teams drop constraint owned');
  expect((await thaw.restore(['teams', 'people'])).state).toBe('completed');
  await thaw.pg.query('alter table teams add constraint owned foreign key (owner) references people');
  expect(await query('select t.id, owner, team from teams t join people p on p.id = t.owner')).toEqual([
    { id: 1, owner: 10, team: 1 },
  ]);
});
