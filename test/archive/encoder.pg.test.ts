import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEqualTable, expectedCsv, loadSchema } from '../harness/fixture.ts';
import { openSession, type Session } from '../postgres/session.ts';
import { restoreFixture } from './restore-table.ts';

let session: Session;
let client: pg.Client;

beforeAll(async () => {
  session = await openSession('encoder');
  client = session.client;
  await client.query(`set lc_monetary = 'C'`);
  await loadSchema(client, 'type-zoo');
});
afterAll(() => session.close());

test.for(['type_zoo', 'type_zoo_core'])('gives back every value of every type: %s', async (name) => {
  await restoreFixture(client, 'type-zoo', `zoo_db/${name}`, { name });
  await expectEqualTable(client, `public.${name}`, expectedCsv('type-zoo', `public.${name}`));
});

test('refuses a value that the archiver destroyed', async () => {
  const restore = restoreFixture(client, 'type-zoo', 'zoo_db/type_zoo_lossy', { name: 'type_zoo_lossy' });
  await expect(restore).rejects.toMatchObject({ code: 'RowRejected', line: 1 });
  await expect(restore).rejects.toThrow(/l_path .*destroyed/);
});
