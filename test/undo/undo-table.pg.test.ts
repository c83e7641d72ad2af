import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTarget } from '../../src/postgres/catalog.ts';
import { readUndoTables } from '../../src/postgres/undo-rows.ts';
import { undoTable } from '../../src/undo/undo-table.ts';
import { createLoadSite, type LoadSite } from '../load/load-site.ts';

let site: LoadSite;

beforeAll(async () => {
  site = await createLoadSite('undo');
});

afterAll(async () => {
  await site.close();
});

async function rows(table: string): Promise<readonly string[]> {
  const { rows: found } = await site.pg.query<{ row: string }>(
    `select t::text as row from ${table} t order by 1`,
  );
  return found.map(({ row }) => row);
}

async function undo(restoreId: string, signal = new AbortController().signal): Promise<number> {
  let undone = 0;
  for (const kept of await readUndoTables(site.pg, restoreId)) {
    const target = await readTarget(site.pg, kept.schema, kept.table);
    undone += await undoTable(site.pg, { restoreId, target, kept, signal });
  }
  return undone;
}

test.each(['overwrite', 'skip', 'fail'] as const)(
  'a restore with %s is undone to the last bit',
  async (conflictStrategy) => {
    const table = `exact_${conflictStrategy}`;
    await site.pg.query(
      `create table ${table} (
       id bigint generated always as identity primary key, amount numeric, span interval, bounds int[],
       doc json, code char(4), doubled numeric generated always as (amount * 2) stored);
     insert into ${table} (id, amount, span, bounds, doc, code) overriding system value values
       (${conflictStrategy === 'fail' ? 1001 : 1}, 1.00, '1 mon -30 days', '[0:1]={1,2}', '{"a" : 1, "a":2}', 'x'),
       (${conflictStrategy === 'fail' ? 1002 : 2}, null, '24:00:00', '{}', null, '')`,
    );
    const before = await rows(table);
    const records = (amount: string) =>
      Array.from({ length: 300 }, (_, place) => ({ id: place + 1, amount, code: 'y' }));
    const first = await site.archive(1, records('1.0'));
    const again = await site.archive(
      2,
      conflictStrategy === 'fail' ? [{ id: 900, amount: '2' }] : records('2.0'),
    );
    const restore = await site.restore(table, { conflictStrategy, undoable: true, batchSize: 120 });
    const outcome = await restore.load([first, again], 0).outcome;
    expect(outcome.failures).toEqual([]);
    expect(outcome.tally.archives.restored).toBe(2);
    expect(await rows(table)).not.toEqual(before);

    await undo(restore.restoreId);

    expect(await rows(table)).toEqual(before);
    expect(await undo(restore.restoreId)).toBe(0);
    expect(await rows(table)).toEqual(before);
  },
);
