import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { raw } from '../harness/archive-writer.ts';
import { type FixtureSet, loadSchema } from '../harness/fixture.ts';
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import { createFolderSite, type FolderSite } from './folder-site.ts';

const undo: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

async function site(set?: FixtureSet): Promise<{ site: FolderSite; database: TestDatabase }> {
  const database = await createTestDatabase('validate');
  undo.push(() => database.drop());
  const made = await createFolderSite(set, database);
  undo.push(() => made.remove());
  return { site: made, database };
}

describe('the values of real archives', () => {
  it.each(['audit-logs', 'shop', 'edge'] as const)('%s: the tables take them all', async (set) => {
    const { site: made, database } = await site(set);
    const client = await database.client();
    await loadSchema(client, set);
    const { exitCode, stdout } = await made.thaw('validate', '--level', 'types');
    expect(stdout).toMatch(/^Valid$/m);
    expect(exitCode).toBe(0);
    // Nothing is left behind.
    const { rows } = await client.query(
      `select (select count(*)::int from pg_stat_user_tables where n_tup_ins > 0) as written,
         (select count(*)::int from pg_stat_activity where application_name = 'thaw/validate') as sessions`,
    );
    expect(rows).toEqual([{ written: 0, sessions: 0 }]);
  });
});

it('type-zoo: the tables take all values but those that the archiver destroyed', async () => {
  const { site: made, database } = await site('type-zoo');
  await loadSchema(await database.client(), 'type-zoo');
  const { exitCode, stdout } = await made.thaw('validate', '--level', 'types', '--output-format', 'json');
  expect(exitCode).toBe(1);
  const { total_archives, errors } = JSON.parse(stdout);
  expect({ total_archives, errors: errors.length }).toEqual({ total_archives: 7, errors: 1 });
  expect(errors[0].file).toContain('/type_zoo_lossy/');
  expect(errors[0].error).toMatch(
    /^RowRejected: Line \d+, byte \d+ of .*: column \w+ has a value that the archiver destroyed/,
  );
});

describe('values that a table does not take', () => {
  let app: { site: FolderSite; database: TestDatabase };
  const at = { table: 'items', archivedAt: '2026-01-04T05:20:21+00:00' };
  beforeAll(async () => {
    app = await site();
    const client = await app.database.client();
    await client.query(
      `create domain positive as int check (value > 0);
       create table items (
         id bigint primary key, amount numeric(5,2), born date, small positive, document jsonb,
         owner text not null default 'me', low int, high int, constraint "In Order" check (low <= high),
         constraint whole check (items is not null),
         twice int generated always as (id * 2) stored
       )`,
    );
  });

  const errorsOf = async (key: string): Promise<string[]> => {
    const { stdout } = await app.site.thaw(
      ...['validate', '--level', 'types', '--s3-key', key, '--output-format', 'json'],
    );
    return JSON.parse(stdout).errors;
  };

  it.each([
    ['amount', '12345.67', 'numeric field overflow|a number is out of range', '22003'],
    ['born', 'no day', 'a date or time is not valid', '22007'],
    ['small', -1, 'a row violates a check constraint', '23514'],
    ['document', '{"a": "\\u0000"}', 'a character does not exist', '22P05'],
    ['owner', null, 'a column that must not be null', '23502'],
    ['low', 77, 'violates a check constraint', '23514'],
  ])('%s: names line and column', async (column, value, says, state) => {
    // Blank lines and other columns before it: the line is that of the archive, not of a COPY.
    const good = { id: 1, amount: '1.10', born: '2026-01-02', small: 1, low: 1, high: 2 };
    const rows = [
      good,
      { ...good, extra: 1, id: 2 },
      { id: 3 },
      { ...good, id: 4, [column]: value },
      { id: 5 },
    ];
    const { key } = await app.site.archive({ ...at, database: app.database.name, rows });
    const errors = await errorsOf(key);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(new RegExp(`^(RowRejected|SchemaIncompatible): .*line 4: .*(${says})`, 'i'));
    expect(errors[0]).toContain(`SQLSTATE ${state}`);
    if (state !== '23514') expect(errors[0]).toContain(`column ${column}`);
    if (value !== null) expect(errors[0]).not.toContain(String(value));
  });

  it('reads an archive again whose JSON turns out to be nested', async () => {
    const rows = [
      { id: 1, document: '"text"' },
      { id: 2, document: { nested: raw('1.50') } },
    ];
    const { key } = await app.site.archive({ ...at, database: app.database.name, rows });
    expect(await errorsOf(key)).toEqual([]);
  });

  it('names a table that is not there, and columns that it lacks', async () => {
    const gone = await app.site.archive({
      ...at,
      table: 'gone',
      database: app.database.name,
      rows: [{ id: 1 }],
    });
    expect(await errorsOf(gone.key)).toEqual(['TargetMissing: public.gone: there is no such table']);
    const { key } = await app.site.archive({
      ...at,
      database: app.database.name,
      rows: [{ id: 1, colour: 'red' }],
    });
    const { exitCode, stdout } = await app.site.thaw('validate', '--level', 'types', '--s3-key', key);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Note: ');
    expect(stdout).toContain('the table has no column colour, of which there are 1 values');
  });

  it('are found in each archive, and in no other', async () => {
    const bad: string[] = [];
    for (let batch = 1; batch <= 12; batch += 1) {
      const rows = [{ id: batch }, { id: batch % 3 === 0 ? 'no number' : 0 }];
      const { key } = await app.site.archive({
        ...at,
        table: 'many',
        database: app.database.name,
        batch,
        rows,
      });
      if (batch % 3 === 0) bad.push(key);
    }
    const client = await app.database.client();
    await client.query('create table many (id bigint)');
    const { stdout } = await app.site.thaw(
      ...['validate', '--level', 'types', '--table', 'many', '--output-format', 'json'],
    );
    const errors = JSON.parse(stdout).errors as { file: string; error: string }[];
    expect(errors.map(({ file }) => file)).toEqual(bad);
    for (const { error } of errors) expect(error).toContain('line 2: ');
  });

  it('says so when the connection is lost on the way', async () => {
    const client = await app.database.client();
    await client.query(
      `create domain deadly as int check (pg_terminate_backend(pg_backend_pid()));
       create table deadly_items (id deadly)`,
    );
    const { key } = await app.site.archive({
      ...{ ...at, table: 'deadly_items', database: app.database.name, rows: [{ id: 1 }] },
    });
    const { exitCode, stdout, stderr } = await app.site.thaw('validate', '--level', 'types', '--s3-key', key);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/^DatabaseUnavailable: public\.deadly_items: .*\nhint: .*\n$/);
  });

  it('says so when the database is away, instead of calling archives invalid', async () => {
    const site = await createFolderSite();
    undo.push(() => site.remove());
    await site.archive({ ...at, database: 'app', rows: [{ id: 1 }] });
    const { exitCode, stdout, stderr } = await site.thaw('validate', '--level', 'types');
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toContain('DatabaseUnavailable: ');
  });
});
