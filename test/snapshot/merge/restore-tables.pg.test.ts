import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { restoreTables } from '../../../src/snapshot/merge/restore-tables.ts';
import { openSession, type Session } from '../../postgres/session.ts';
import { rowsOf, stagedTable } from './merge-site.ts';

let session: Session;
let client: pg.Client;

beforeAll(async () => {
  session = await openSession('restore_tables');
  client = session.client;
});
afterAll(() => session.close());

test('rows and what is written alongside come together or not at all, and sequences are moved', async () => {
  await client.query(`
    create schema stage;
    create table teams (id serial primary key, name text);
    create table stage.teams (like teams);
    create table marks (what text);
    insert into teams (name) values ('a');
    insert into stage.teams values (1, 'A'), (9, 'i')`);
  const tables = [await stagedTable(client, 'teams')];
  const mark = async (what: string) => void (await client.query('insert into marks values ($1)', [what]));
  const failing = restoreTables(client, tables, {
    alongside: async () => {
      await mark('lost');
      await client.query('select 1 / 0');
    },
  });
  await expect(failing).rejects.toMatchObject({ code: 'RowRejected' });
  expect(await rowsOf(client, 'teams')).toEqual(['(1,a)']);
  expect(await restoreTables(client, tables, { alongside: () => mark('done') })).toEqual({
    tables: [{ schema: 'public', table: 'teams', inserted: 1, updated: 1, deleted: 0, unchanged: 0 }],
    notices: [],
  });
  expect(await rowsOf(client, 'marks')).toEqual(['(done)']);
  expect((await client.query("insert into teams (name) values ('next') returning id")).rows).toEqual([
    { id: 10 },
  ]);
});
