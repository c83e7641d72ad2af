import { execFile } from 'node:child_process';
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DumpFormat } from '../../../src/contract/dump-request.ts';
import { loadDumpInto } from '../../../src/dump/load/load.ts';
import {
  clientPrograms,
  describeWithPrograms,
  hasClientPrograms,
  pgDump,
  runWithUrl,
} from '../../harness/client-programs.ts';
import { createTestDumps, type TestDumps } from '../../harness/dump.ts';
import { asAdministrator, createTestDatabase, type TestDatabase } from '../../harness/postgres.ts';

const count = 20_000;

let source: TestDatabase;
let dumps: TestDumps;
let expected: Awaited<ReturnType<typeof contents>>;
const databases: TestDatabase[] = [];

beforeAll(async () => {
  source = await createTestDatabase('load_source');
  dumps = await createTestDumps();
  const client = await source.client();
  await client.query(`
    create schema "My Schema";
    create table "My Schema"."Odd ""Name.x" (id serial primary key, v text);
    insert into "My Schema"."Odd ""Name.x" (v) select 'v' || i from generate_series(1, 100) i;
    create table t (id int primary key, v text check (v <> 'bad'), b bytea, at timestamptz);
    insert into t select i, 'COMMIT;' || chr(10) || 'sec' || i, decode(md5(i::text), 'hex'), to_timestamp(i)
      from generate_series(1, ${count}) i;
    create index t_v on t (at);
    create table child (id int primary key references t, "UP" text);
    insert into child select i, null from generate_series(1, 100) i;
    create procedure p() language plpgsql as $$
begin
COMMIT;
end $$;
    create view vw as select id from t;
    select lo_from_bytea(424242, 'large');
    select setval('"My Schema"."Odd ""Name.x_id_seq"', 777);
  `);
  if (hasClientPrograms) expected = await contents(source);
});

afterAll(async () => {
  for (const database of databases) await database.drop();
  await dumps.remove();
  await source.drop();
});

async function target(): Promise<TestDatabase> {
  const database = await createTestDatabase('load_target');
  databases.push(database);
  return database;
}

/** Everything in a database that a dump brings, rows in no order. */
async function contents(database: TestDatabase) {
  const client = await database.client();
  const all = async (query: string) =>
    (await client.query<Record<string, unknown>>(query)).rows.map((row) => JSON.stringify(row)).toSorted();
  const schema = (await runWithUrl(clientPrograms().pgDump, database, ['--schema-only'])).toString();
  return {
    schema: schema.replaceAll(/^\\(?:un)?restrict .*$/gm, ''),
    odd: await all('select t::text from "My Schema"."Odd ""Name.x" t'),
    t: await all('select t::text from t'),
    child: await all('select t::text from child t'),
    objects: await all('select loid, pageno, data::text from pg_largeobject'),
    sequence: await all('select last_value, is_called from "My Schema"."Odd ""Name.x_id_seq"'),
  };
}

/** A dump in directory format, as a tar of its folder. */
async function directoryTar(): Promise<Buffer> {
  const folder = path.join(dumps.spool, 'directory');
  await runWithUrl(clientPrograms().pgDump, source, ['--format=directory', `--file=${folder}`]);
  const packed = pack();
  for (const name of await readdir(folder))
    packed.entry({ name: `backup/${name}` }, await readFile(path.join(folder, name)));
  packed.finalize();
  const parts: Buffer[] = [];
  for await (const part of packed) parts.push(part as Buffer);
  await rm(folder, { recursive: true });
  return Buffer.concat(parts);
}

describeWithPrograms('a load', () => {
  test.each<[string, DumpFormat, () => Promise<Buffer>]>([
    ['tar.gz', 'tar', async () => gzipSync(await pgDump(source, '--format=tar'), { level: 1 })],
    ['plain with --create', 'plain', () => pgDump(source, '--create', '--clean', '--if-exists')],
    ['custom', 'custom', () => pgDump(source, '--format=custom')],
    ['custom.gz', 'custom', async () => gzipSync(await pgDump(source, '--format=custom'), { level: 1 })],
    ['directory.tar', 'directory', directoryTar],
    ['plain', 'plain', () => pgDump(source)],
    ['plain.gz', 'plain', async () => gzipSync(await pgDump(source), { level: 1 })],
    ['inserts', 'plain', () => pgDump(source, '--inserts', '--rows-per-insert=500')],
  ])('of %s gives the database that was dumped', async (key, format, make) => {
    await dumps.put(key, await make());
    const into = await target();
    const read: string[] = [];
    const load = await dumps.load(key, format, into, { onProgress: ({ stage }) => read.push(stage) });
    const { warnings } = await loadDumpInto(load);
    expect(warnings).toEqual([]);
    expect(await contents(into)).toEqual(expected);
    expect(new Set(read)).toEqual(
      new Set(format === 'custom' || format === 'directory' ? ['spool', 'load'] : ['load']),
    );
    expect(await readdir(dumps.spool)).toEqual([]);
  });

  test('of what pg_dumpall wrote makes roles and databases, and leaves roles alone that are there', async () => {
    const made = `${source.name}_made`;
    const text = (await pgDump(source, '--create')).toString().replaceAll(source.name, made);
    await dumps.put('cluster', Buffer.from(clusterDump(made, source.user, text)));
    const into = await target();
    const load = await dumps.load('cluster', 'cluster', into);
    await expect(loadDumpInto(load)).rejects.toMatchObject({
      code: 'InputInvalid',
      message: 'cluster is what pg_dumpall writes: a whole server, not a database.',
    });
    try {
      expect(await loadDumpInto({ ...load, cluster: true })).toMatchObject({ warnings: [] });
      const { rows } = await (await into.client()).query(
        'select rolname as name, rolsuper as super from pg_roles where rolname = any($1) order by rolsuper',
        [[made, source.user]],
      );
      expect(rows).toEqual([
        { name: made, super: false },
        { name: source.user, super: true },
      ]);
      const url = new URL(source.url);
      url.pathname = `/${made}`;
      const { stdout } = await promisify(execFile)(clientPrograms().psql, [
        '-XAtc',
        'select count(*) from t',
        url.href,
      ]);
      expect(stdout.trim()).toBe(String(count));
    } finally {
      await asAdministrator(`drop database if exists "${made}" with (force)`);
      await asAdministrator(`drop role if exists "${made}"`);
    }
  });
});

/** As pg_dumpall writes it, with one role more than there is and one that is there, less mighty. */
function clusterDump(database: string, user: string, dump: string): string {
  return `--
-- PostgreSQL database cluster dump
--

SET default_transaction_read_only = off;

SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;

--
-- Roles
--

CREATE ROLE ${user};
ALTER ROLE ${user} WITH NOSUPERUSER NOLOGIN;
CREATE ROLE ${database};
ALTER ROLE ${database} WITH NOSUPERUSER LOGIN PASSWORD 'secret';

--
-- Databases
--

--
-- Database "${database}" dump
--

${dump}
--
-- PostgreSQL database cluster dump complete
--

`;
}
