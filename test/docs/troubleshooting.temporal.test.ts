import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TableError } from '../../src/contract/outcome.ts';
import type { RestoreOptions } from '../../src/contract/restore-request.ts';
import { writeArchive } from '../harness/archive-writer.ts';
import { asAdministrator, createTestDatabase } from '../harness/postgres.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { codeIn, readDocument, tableRows } from './markdown.ts';

const rows = tableRows(readDocument('docs/restore-guide.md'), 'message of PostgreSQL');
const user = `clerk_${randomBytes(4).toString('hex')}`;
let thaw: TestThaw;

beforeAll(async () => {
  const database = await createTestDatabase('trouble');
  await asAdministrator(`create role ${user} login password 'secret'`);
  await asAdministrator(`grant create on database "${database.name}" to ${user}`);
  thaw = await createTestThaw('trouble', 'worker', { database: { ...database, user, password: 'secret' } });
});

afterAll(async () => {
  await thaw?.close();
  await asAdministrator(`drop role if exists ${user}`);
});

/** Makes a table, and an archive of one row of `id` and `note`. */
async function makeTable(name: string, sql: string): Promise<void> {
  await thaw.pg.query(sql);
  await writeArchive(thaw.bucket.put, {
    database: thaw.database.name,
    table: name,
    archivedAt: '2026-01-04T05:20:21+00:00',
    rows: [{ id: 1, note: 'a' }],
    primaryKey: 'id',
  });
}

/** What a restore ends with. */
async function errorOf(table: string, options: Partial<RestoreOptions>): Promise<TableError | undefined> {
  const [outcome] = (await thaw.restore([table], options)).tables;
  return outcome?.error ?? outcome?.failures[0];
}

/** Each message of the archive guide, and what brings it about. */
test.each([
  ['relation does not exist', 'gone', 'create table other (id int)', {}],
  [
    'column does not exist',
    'narrow',
    `create table narrow (id int primary key); grant all on narrow to ${user}`,
    { schemaStrategy: 'strict' as const },
  ],
  [
    'duplicate key value violates unique constraint',
    'full',
    `create table full_one (id int primary key, note text); insert into full_one values (1, 'b');
     alter table full_one rename to "full"; grant all on "full" to ${user}`,
    { conflictStrategy: 'fail' as const },
  ],
  ['permission denied', 'closed', 'create table closed (id int primary key, note text)', {}],
])('%s: the hint is what the guide says', async (message, table, sql, options) => {
  const [, code = '', says = ''] = rows.find(([cell = '']) => codeIn(cell).includes(message)) ?? [];
  await makeTable(table, sql);
  const error = await errorOf(table, options);
  expect(error?.code).toBe(codeIn(code)[0]);
  expect(codeIn(says).length).toBeGreaterThan(0);
  for (const words of codeIn(says)) expect(error?.hint).toContain(words);
});

test('the grant that the hint gives is enough', async () => {
  await makeTable('opened', 'create table opened (id int primary key, note text)');
  const error = await errorOf('opened', {});
  const [, grant = ''] = /run: (grant .*)$/.exec(error?.hint ?? '') ?? [];
  await thaw.pg.query(grant);
  expect(await thaw.restore(['opened'])).toMatchObject({
    state: 'completed',
    tally: { rows: { inserted: 1 } },
  });
});

test('the guide has no other message', () => {
  expect(rows).toHaveLength(4);
});
