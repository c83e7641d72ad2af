import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

/** The sets of test/fixtures; its README says what is in each. */
export type FixtureSet = 'audit-logs' | 'shop' | 'type-zoo' | 'edge';

const folder = fileURLToPath(new URL('../fixtures/', import.meta.url));

/** Path of a file or folder of a set, such as `fixturePath('shop', 'schema.sql')`. */
export function fixturePath(set: FixtureSet, ...parts: string[]): string {
  return path.join(folder, set, ...parts);
}

/** The expected rows of a table as CSV; `table` with schema, such as `public.audit_logs`. */
export function expectedCsv(set: FixtureSet, table: string): string {
  return fixturePath(set, 'expected', `${table}.csv`);
}

/** An object of a set. */
export interface FixtureObject {
  /** The exact key, prefix included. */
  readonly key: string;
  /** Path of its bytes. */
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
}

/** The objects of a set, in the order of their keys. */
export async function fixtureObjects(set: FixtureSet): Promise<FixtureObject[]> {
  const list = JSON.parse(await readFile(fixturePath(set, 'objects.json'), 'utf8')) as {
    objects: { key: string; size: number; sha256: string }[];
  };
  return list.objects.map(({ key, size, sha256 }) => ({
    key,
    file: fixturePath(set, 'objects', key),
    size,
    sha256,
  }));
}

/** Makes the tables of a set, empty. */
export async function loadSchema(client: pg.Client, set: FixtureSet): Promise<void> {
  await client.query(await readFile(fixturePath(set, 'schema.sql'), 'utf8'));
}

/**
 * Fails unless a table holds exactly the rows of a CSV file: none missing, none too many, every column
 * equal in its text form, duplicates counted. Text is compared because some types (json, point, xml)
 * have no equality, and because numeric 1.0 and 1.00 are equal but not the same.
 *
 * @param table as SQL writes it: `public.audit_logs`, `public."MixedCase"`
 * @param csv header with column names, every value quoted, NULL as unquoted `\N`
 */
export async function expectEqualTable(client: pg.Client, table: string, csv: string): Promise<void> {
  const columns = await header(csv);
  const texts = columns.map(textOf).join(', ');
  await client.query(`begin`);
  try {
    // Settings of the session that change the text form of values: those under which the files were made.
    await client.query(`set local timezone = 'UTC'`);
    await client.query(`set local datestyle = 'ISO, MDY'`);
    await client.query(`set local intervalstyle = 'postgres'`);
    await client.query(`set local extra_float_digits = 1`);
    await client.query(`set local lc_monetary = 'C'`);
    await readExpected(client, table, columns, csv);
    const expected = `select ${texts} from expected_rows`;
    const actual = `select ${texts} from ${table}`;
    const missing = await rowsOf(client, `${expected} except all ${actual}`);
    const surplus = await rowsOf(client, `${actual} except all ${expected}`);
    if (missing.count + surplus.count > 0) throw new Error(difference(table, columns, missing, surplus));
  } finally {
    await client.query(`rollback`);
  }
}

/**
 * Fills a table with the rows of a CSV file, values of identity columns included; for tests that need
 * rows to be there beforehand. Triggers act as always.
 */
export async function loadExpected(client: pg.Client, table: string, csv: string): Promise<void> {
  const columns = await header(csv);
  await client.query('begin');
  await readExpected(client, table, columns, csv);
  const { rows } = await client.query<{ name: string }>(
    `select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0
       and attgenerated = '' and not attisdropped`,
    [table],
  );
  const names = rows.map(({ name }) => quoted(name)).join(', ');
  await client.query(
    `insert into ${table} (${names}) overriding system value select ${names} from expected_rows`,
  );
  await client.query('commit');
}

/** Reads the CSV file into the temporary table `expected_rows`, which ends with the transaction. */
async function readExpected(
  client: pg.Client,
  table: string,
  columns: readonly string[],
  csv: string,
): Promise<void> {
  // `as select` keeps the types and leaves out what would refuse the rows: generated, identity, checks.
  await client.query(
    `create temp table expected_rows on commit drop as
       select ${columns.map(quoted).join(', ')} from ${table} with no data`,
  );
  const options = `format csv, header, null '\\N', encoding 'UTF8'`;
  await pipeline(
    createReadStream(csv),
    client.query(copyFrom(`copy expected_rows from stdin with (${options})`)),
  );
}

/** Count of rows of a query, and the first of them. */
interface Rows {
  readonly count: number;
  readonly first: readonly Record<string, string | null>[];
}

async function rowsOf(client: pg.Client, query: string): Promise<Rows> {
  const { rows } = await client.query<Record<string, string | null>>(query);
  return { count: rows.length, first: rows.slice(0, 5) };
}

/** Where a missing and a surplus row share the first column, the columns that differ; else the row's first. */
function difference(table: string, columns: readonly string[], missing: Rows, surplus: Rows): string {
  const key = columns[0] ?? '';
  const lines = missing.first.map((row) => {
    const other = surplus.first.find((candidate) => candidate[key] === row[key]);
    if (other === undefined) return `missing: ${key} ${row[key]}`;
    const parts = columns
      .filter((name) => row[name] !== other[name])
      .map((name) => `${name} should be ${JSON.stringify(row[name])} and is ${JSON.stringify(other[name])}`);
    return `differs: ${key} ${row[key]}: ${parts.join('; ')}`;
  });
  const alone = surplus.first
    .filter((row) => !missing.first.some((candidate) => candidate[key] === row[key]))
    .map((row) => `surplus: ${key} ${row[key]}`);
  return [`${table}: ${missing.count} rows missing, ${surplus.count} rows too many`, ...lines, ...alone].join(
    '\n  ',
  );
}

async function header(csv: string): Promise<string[]> {
  const line = (await readFile(csv, 'utf8')).split('\n', 1)[0] ?? '';
  return Array.from(line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g), ([, inQuotes, plain]) =>
    inQuotes === undefined ? (plain ?? '') : inQuotes.replaceAll('""', '"'),
  );
}

/** The text form that PostgreSQL gives a client; a cast to text makes another one of boolean and char(n). */
function textOf(name: string): string {
  const column = quoted(name);
  return `case when ${column} is not distinct from null then null else format('%s', ${column}) end as ${column}`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
