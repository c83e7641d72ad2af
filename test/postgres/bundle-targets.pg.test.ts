import { afterAll, beforeAll, expect, test } from 'vitest';
import { takeModels } from '../../src/postgres/bundle-targets.ts';
import { holdTargets, releaseTargets } from '../../src/postgres/held-targets.ts';
import { ensureSchema } from '../../src/postgres/schema.ts';
import { takeTarget } from '../../src/postgres/targets.ts';
import { inTransaction } from '../../src/postgres/transaction.ts';
import { openSession, type Session } from './session.ts';

let session: Session;

beforeAll(async () => {
  session = await openSession('bundle_targets');
  await ensureSchema(session.client);
  await session.client.query(`
    create table a (id int);
    create table b (id int) partition by range (id);
    create table b1 partition of b for values from (0) to (10);
    create table b2 partition of b for values from (10) to (20);
    create table c (id int)`);
});

afterAll(() => session.close());

const bundle = { restoreId: 'r1', workflow: 'bundle' };
const other = { restoreId: 'r2', workflow: 'other' };

async function target(table: string) {
  const { rows } = await session.client.query<{ oid: number }>('select $1::regclass::oid as oid', [table]);
  return { oid: rows[0]?.oid ?? 0, schema: 'public', table, ordered: false };
}

test('all tables of a bundle are taken as long as its session lives, partitions by their root', async () => {
  const { client } = session;
  const own = await session.open(undefined, 'thaw/r1/bundle/1');
  const [a, b, c] = [await target('a'), await target('b'), await target('c')];
  const held = await takeModels(own, bundle, 'public', ['a', 'b1', 'b2', 'not_there']);
  expect(held.map(({ oid, epoch }) => [oid, epoch])).toEqual([a, b].map(({ oid }) => [oid, 1]));

  await client.query("update thaw.targets set lease_until = now() - interval '1 hour'");
  await expect(takeTarget(client, other, b)).rejects.toMatchObject({ code: 'TargetBusy' });
  // All or none: the free one is not taken either.
  await expect(
    inTransaction(client, () => takeModels(client, other, 'public', ['a', 'c'])),
  ).rejects.toMatchObject({ code: 'TargetBusy', message: 'public.a: restore r1 holds the table.' });
  expect(await takeTarget(client, other, c)).toMatchObject({ epoch: 1 });
  await inTransaction(own, () => holdTargets(own, 'r1', held));

  await releaseTargets(own, 'r1', held.slice(0, 1));
  expect(await takeTarget(client, other, a)).toMatchObject({ epoch: 2 });
  await expect(holdTargets(own, 'r1', held)).rejects.toMatchObject({ code: 'TargetBusy' });
  // What another has by now stays its own.
  await releaseTargets(own, 'r1', held);
  const { rows } = await client.query(
    'select restore_id from thaw.targets where released_at is null order by target_oid',
  );
  expect(rows).toEqual([{ restore_id: 'r2' }, { restore_id: 'r2' }]);
});

test('a bundle whose session is gone and whose lease has run out holds nothing', async () => {
  const own = await session.open(undefined, 'thaw/r3/bundle/1');
  const { client } = session;
  const b = await target('b');
  const [held] = await takeModels(own, { restoreId: 'r3', workflow: 'r3' }, 'public', ['b2']);
  await own.end();
  await expect(takeTarget(client, other, b)).rejects.toMatchObject({ code: 'TargetBusy' });
  await client.query("update thaw.targets set lease_until = now() where restore_id = 'r3'");
  await expect.poll(async () => (await takeTarget(client, other, b)).epoch).toBe((held?.epoch ?? 0) + 1);
});
