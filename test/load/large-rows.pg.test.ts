import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTarget } from '../../src/postgres/catalog.ts';
import { TypeCheck } from '../../src/validate/type-check.ts';
import { createLoadSite, type LoadSite } from './load-site.ts';

let site: LoadSite;

beforeAll(async () => {
  site = await createLoadSite('large_rows');
});

afterAll(() => site.close());

/** As many as a table of PostgreSQL has. */
const names = Array.from({ length: 1_600 }, (_, place) => `c${place}`);
const types = names.map((name, place) => `${name} ${place % 2 === 0 ? 'int' : 'bool'}`);
const row = (id: number, c2 = 2) =>
  Object.fromEntries(
    names.map((name, place) => [
      name,
      place === 0 ? id : place === 2 ? c2 : place % 2 === 0 ? place + id : id === 1,
    ]),
  );

test('a row of 1,600 columns comes back, and its types are tried', async () => {
  await site.pg.query(`create table wide (${types.join(', ')}, primary key (c0))`);
  const first = await site.archive(1, [row(1), row(2)]);
  const restore = await site.restore('wide');
  expect(await restore.load([first], 0).outcome).toMatchObject({
    failures: [],
    tally: { rows: { inserted: 2 } },
  });
  const { rows } = await site.pg.query('select * from wide order by c0');
  expect(rows).toEqual([row(1), row(2)]);

  const check = new TypeCheck(site.pg, 'archive', await readTarget(site.pg, 'public', 'wide'), new Set());
  await check.push(Buffer.from(`${JSON.stringify(row(4))}\n`));
  await check.push(Buffer.from(JSON.stringify({ ...row(5), c1599: 'perhaps' })));
  await expect(check.end()).rejects.toMatchObject({ code: 'RowRejected', line: 2 });
  await check.close();
});

test.each([
  ['skip', null, { inserted: 2, updated: 0, skipped: 3 }, [row(1), row(2), row(3, 31), row(4)]],
  ['overwrite', null, { inserted: 2, updated: 1, skipped: 2 }, [row(1), row(2, 21), row(3, 32), row(4)]],
  ['overwrite', 2, { inserted: 2, updated: 1, skipped: 2 }, [row(1), row(2, 21), row(3, 32), row(4)]],
] as const)(
  'rows of 1,600 columns conflict as any other under %s, in steps of %s',
  async (conflictStrategy, batchSize, counts, expected) => {
    await site.pg.query(`drop table if exists met; create table met (${types.join(', ')}, primary key (c0))`);
    const restore = await site.restore('met', { conflictStrategy, batchSize });
    const first = await site.archive(1, [row(1), row(2)]);
    await restore.load([first], 0).outcome;
    const second = await site.archive(2, [row(3, 31), row(2, 21), row(4), row(1), row(3, 32)]);
    const load = restore.load([second], 1);
    expect(await load.outcome).toMatchObject({ failures: [], tally: { rows: counts } });
    const { rows } = await site.pg.query('select * from met order by c0');
    expect(rows).toEqual(expected);
  },
);

test('the line of 1,600 columns is told that conflicts, and the one that is refused is put aside', async () => {
  await site.pg.query(
    `create table kept (${types.join(', ')}, primary key (c0), constraint small check (c2 < 50))`,
  );
  const strict = await site.restore('kept', { conflictStrategy: 'fail', maxRejects: 1 });
  const first = await site.archive(1, [row(1), row(2)]);
  const twins = await site.archive(2, [row(3), row(4), row(3)]);
  const met = await site.archive(3, [row(3), row(2), row(1)]);
  const bad = await site.archive(4, [row(5), row(6, 60), row(7)]);
  expect(await strict.load([first], 0).outcome).toMatchObject({ tally: { rows: { inserted: 2 } } });
  expect(await strict.load([twins, met, bad], 1).outcome).toMatchObject({
    failures: [
      { code: 'ConflictFound', message: expect.stringContaining('line 3 conflicts with an earlier line') },
      {
        code: 'ConflictFound',
        message: expect.stringContaining('line 2 conflicts with a row that is there'),
      },
    ],
    tally: { rows: { inserted: 2, failed: 1 } },
  });
  const { rows } = await site.pg.query('select * from kept order by c0');
  expect(rows).toEqual([row(1), row(2), row(5), row(7)]);
});

test('a line of 100 MB comes back', { timeout: 300_000 }, async () => {
  await site.pg.query(
    'create table long (id int primary key, note text); alter table long alter note set storage external',
  );
  const note = 'abcdefg\n'.repeat(12_500_000);
  const archive = await site.archive(1, [
    { id: 1, note: 'x' },
    { id: 2, note },
    { id: 3, note: 'y' },
  ]);
  const restore = await site.restore('long');
  expect(await restore.load([archive], 0).outcome).toMatchObject({ tally: { rows: { inserted: 3 } } });
  const { rows } = await site.pg.query(
    'select id, length(note) as length, md5(note) as digest from long order by id',
  );
  const digest = (text: string) => createHash('md5').update(text).digest('hex');
  expect(rows).toEqual([
    { id: 1, length: 1, digest: digest('x') },
    { id: 2, length: 100_000_000, digest: digest(note) },
    { id: 3, length: 1, digest: digest('y') },
  ]);
});

test('memory grows with the longest line, and not with the number of long ones', {
  timeout: 300_000,
}, async () => {
  const most = async (lines: number) => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '-e',
      measured(lines),
    ]);
    return Number(stdout);
  };
  // A line of 50 MB and what becomes of it; ten of them make a gigabyte of both.
  expect(await most(10)).toBeLessThan(450);
});

/** A program that slices so many lines of 50 MB, and prints how many MiB it ever had. */
function measured(lines: number): string {
  const slicer = new URL('../../dist/src/archive/slicer.js', import.meta.url).href;
  return `
    import { Slicer } from ${JSON.stringify(slicer)};
    const slicer = new Slicer([{ name: 'note', key: 'note', type: { kind: 'scalar', name: 'text' } }]);
    const take = (pieces) => pieces.forEach((piece) => piece.release());
    const chunk = Buffer.alloc(250_000, 'abcdefg ');
    for (let line = 0; line < ${lines}; line += 1) {
      take(slicer.push(Buffer.from('{"note": "')));
      for (let part = 0; part < 200; part += 1) take(slicer.push(chunk));
      take(slicer.push(Buffer.from('"}\\n')));
    }
    take(slicer.end());
    console.log(Math.round(process.resourceUsage().maxRSS / 1024));`;
}
