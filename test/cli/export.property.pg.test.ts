import { createReadStream } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ArchivedValue, listOf, orNull, scalars } from '../archive/archived-values.ts';
import { raw } from '../harness/archive-writer.ts';
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import { createFolderSite, type FolderSite } from './folder-site.ts';

let database: TestDatabase;
let client: pg.Client;
let site: FolderSite;

beforeAll(async () => {
  database = await createTestDatabase('export_property');
  client = await database.client();
  await client.query(`set timezone = 'UTC'`);
  site = await createFolderSite();
});
afterAll(async () => {
  await site.remove();
  await database.drop();
});

type Values = fc.Arbitrary<ArchivedValue>;

/** Columns by name: as SQL, as the archived schema has them, and their values. */
const columns: Readonly<Record<string, readonly [sql: string, dataType: string, udtName: string, Values]>> = {
  t: ['text', 'text', 'text', scalars.text as Values],
  'T "2"': ['varchar(30)', 'character varying', 'varchar', scalars['varchar(30)'] as Values],
  n: ['numeric', 'numeric', 'numeric', scalars.numeric as Values],
  b: ['bytea', 'bytea', 'bytea', scalars.bytea as Values],
  j: ['jsonb', 'jsonb', 'jsonb', scalars.jsonb as Values],
  f: ['float8', 'double precision', 'float8', scalars['double precision'] as Values],
  at: [
    'timestamptz',
    'timestamp with time zone',
    'timestamptz',
    scalars['timestamp with time zone'] as Values,
  ],
  bits: ['varbit', 'bit varying', 'varbit', scalars.varbit as Values],
  texts: ['text[]', 'ARRAY', '_text', listOf(scalars.text as Values)],
  blobs: ['bytea[]', 'ARRAY', '_bytea', listOf(scalars.bytea as Values)],
};
const names = Object.keys(columns);
const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

const tableSchema = {
  columns: ['id', ...names].map((name, place) => ({
    name,
    data_type: columns[name]?.[1] ?? 'integer',
    udt_name: columns[name]?.[2] ?? 'int4',
    is_nullable: true,
    default: null,
    ordinal_position: place + 1,
  })),
};

const row = fc.record(Object.fromEntries(names.map((name) => [name, orNull(columns[name]?.[3] as Values)])));

test.each(['csv', 'copy'] as const)('any values, exported as %s, are read back by COPY', async (format) => {
  let batch = 0;
  const file = path.join(site.folder, `out.${format}`);
  const options = format === 'csv' ? 'format csv, header' : 'format text';
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 40 }), async (rows) => {
      batch += 1;
      const archived = rows.map((values, id) => ({
        id,
        ...Object.fromEntries(names.map((name) => [name, raw(values[name]?.json ?? 'null')])),
      }));
      const { key } = await site.archive({
        ...{ database: 'app', table: 'items', archivedAt: '2026-01-04T05:20:21+00:00', tableSchema },
        ...{ batch, rows: archived },
      });
      const told = await site.thaw('export', key, '--format', format, '--output', file);
      expect(told.exitCode).toBe(0);
      const list = names.map((name) => `${quoted(name)} ${columns[name]?.[0]}`);
      await client.query(
        `drop table if exists source, target;
         create table source (id int, ${list.join(', ')});
         create table target (like source)`,
      );
      const casts = names.map((_, place) => `c${place}::${columns[names[place] ?? '']?.[0]}`);
      await client.query(
        `insert into source select id - 1, ${casts.join(', ')}
         from unnest(${names.map((_, place) => `$${place + 1}::text[]`).join(', ')})
           with ordinality as t (${names.map((_, place) => `c${place}`).join(', ')}, id)`,
        names.map((name) => rows.map((values) => values[name]?.sql ?? null)),
      );
      const copied = /\((.*)\) from '/.exec(told.stderr)?.[1] ?? '';
      await pipeline(
        createReadStream(file),
        client.query(copyFrom(`copy target (${copied}) from stdin with (${options})`)),
      );
      const different = await client.query(
        `select * from source full join target using (id) where source::text is distinct from target::text`,
      );
      expect(different.rows).toEqual([]);
    }),
    { numRuns: 4 },
  );
});
