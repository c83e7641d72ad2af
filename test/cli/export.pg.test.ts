import { createReadStream } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectEqualTable, expectedCsv, type FixtureSet, loadSchema } from '../harness/fixture.ts';
import { createTestDatabase, type TestDatabase } from '../harness/postgres.ts';
import { createFolderSite, type FolderSite } from './folder-site.ts';

const undo: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

/** Reads an exported file as `\copy` does, with the columns that the command told. */
async function load(
  client: pg.Client,
  table: string,
  told: string,
  file: string,
  format: string,
): Promise<void> {
  const columns = /\\copy "[^"]+" \((.*)\) from '/.exec(told)?.[1] ?? '';
  const options = format === 'csv' ? 'format csv, header' : 'format text';
  await pipeline(
    createReadStream(file),
    client.query(copyFrom(`copy ${table} (${columns}) from stdin with (${options})`)),
  );
}

describe.each(['csv', 'copy'] as const)('as %s, PostgreSQL reads what was archived', (format) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase('export');
    undo.push(() => database.drop());
  });

  it.each([
    ['audit-logs', 'production_db', 'audit_logs', 'public.audit_logs'],
    ['type-zoo', 'zoo_db', 'type_zoo_core', 'public.type_zoo_core'],
    ['edge', 'edge_db', 'MixedCase', 'public.MixedCase'],
    ['edge', 'edge_db', 'r_dup_nopk', 'public.r_dup_nopk'],
  ] as const)('%s: table of %s.%s', async (set, name, table, expected) => {
    const site: FolderSite = await createFolderSite(set as FixtureSet);
    undo.push(() => site.remove());
    const client = await database.client();
    await client.query('drop schema if exists public cascade; create schema public');
    await loadSchema(client, set as FixtureSet);
    const file = path.join(site.folder, `out.${format}`);
    const { exitCode, stdout, stderr } = await site.thaw(
      ...['export', '--database', name, '--table', table, '--format', format, '--output', file],
      ...(table === 'type_zoo_core' ? ['--without', 'c_gen', '--without', 'c_gen_text'] : []),
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    await load(client, `public."${table}"`, stderr, file, format);
    await expectEqualTable(client, `public."${table}"`, expectedCsv(set as FixtureSet, expected));
  });
});
