import type pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { TenantPart } from '../../src/contract/snapshot.ts';
import type { SnapshotHistory } from '../../src/contract/snapshot-history.ts';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { ensureSchema } from '../../src/postgres/schema.ts';
import {
  beginHistory,
  failHistory,
  type HistoryBegin,
  listHistory,
  readHistory,
} from '../../src/postgres/snapshot-history.ts';
import { HistoryRecorder, historyError } from '../../src/snapshot/history/history-recorder.ts';
import { restoreTables } from '../../src/snapshot/merge/restore-tables.ts';
import { openSession, type Session } from '../postgres/session.ts';
import { rowsOf, stagedTable } from './merge/merge-site.ts';

let session: Session;
let client: pg.Client;
/** Somebody else, who looks on. */
let other: pg.Client;

beforeAll(async () => {
  session = await openSession('history');
  client = session.client;
  other = await session.open();
  await ensureSchema(client);
  await client.query(`
    create function gate() returns boolean language sql volatile as $$
      select pg_advisory_xact_lock_shared(7); select true $$;
    create schema stage;
    create table teams (id int primary key, name text);
    create table people (id int primary key, team int references teams on delete cascade, check (gate()));
    create table stage.teams (like teams);
    create table stage.people (like people);
    insert into stage.teams values (1, 'a'), (2, 'b');
    insert into stage.people values (1, 1), (2, 2), (3, 2)`);
});
afterAll(() => session.close());

function begun(restoreId: string, tenant: TenantPart | null = null): HistoryBegin {
  const metadata = {
    database: 'db',
    source: { kind: 'stored', id: 's1' },
    strategy: 'overwrite',
    tenant,
  } as const;
  return { restoreId, metadata, by: 'ann', reason: 'a bad import', currentStep: 'starting' };
}

async function history(restoreId: string): Promise<SnapshotHistory> {
  const found = await readHistory(other, restoreId);
  if (found === null) throw new Error(`no history of ${restoreId}`);
  return found;
}

/** Merges both tables, and writes how that goes. */
async function merge(recorder: HistoryRecorder, own = client, late?: () => Promise<unknown>): Promise<void> {
  const tables = [await stagedTable(own, 'teams'), await stagedTable(own, 'people')];
  recorder.expect([
    { table: 'public.teams', rows: 2 },
    { table: 'public.people', rows: 3 },
  ]);
  recorder.staged();
  await restoreTables(own, tables, {
    onComparing: (table) => recorder.comparing(table),
    onFound: (changes) => recorder.found(changes),
    onMerged: (changes) => recorder.merged(changes),
    onKeysTaken: async (keys) => recorder.keysTaken(keys),
    onBegun: () => recorder.inTransaction(own),
    alongside: async () => {
      await recorder.complete(own);
      await late?.();
    },
  });
}

function open(restoreId: string, onLost?: (error: ThawError) => void): Promise<HistoryRecorder> {
  return HistoryRecorder.open({
    ...{ restoreId, every: 20, connect: () => session.open(undefined, `recorder ${restoreId}`) },
    ...(onLost && { onLost }),
  });
}

test('others see how far a merge is while it runs, and its end together with its rows', async () => {
  await beginHistory(client, begun('r1'), null);
  // Done once more after a lost answer.
  await beginHistory(client, begun('r1'), null);
  expect(await history('r1')).toMatchObject({
    status: 'in_progress',
    current_step: 'starting',
    tables_affected: null,
  });
  await other.query('select pg_advisory_lock(7)');
  const recorder = await open('r1');
  const merging = merge(recorder);
  await vi.waitFor(
    async () => expect((await history('r1')).current_step).toBe('restoring_public.people'),
    20_000,
  );
  const held = await history('r1');
  expect(held).toMatchObject({
    ...{ status: 'in_progress', tables_affected: ['public.teams', 'public.people'], tables_restored: [] },
    fk_constraints_handled: { disabled: 1, enabled: 0, constraints: ['people_team_fkey of public.people'] },
    ...{ rollback_completed_at: null, rows_restored: null },
  });
  expect(held.restoration_steps).toMatchObject([
    { table: 'public.teams', status: 'merged', progress_pct: 100, eta_seconds: 0, rows_restored: 2 },
    { table: 'public.people', status: 'merging', progress_pct: 75, rows_restored: null },
  ]);
  expect(held.restoration_steps[1]?.eta_seconds).toBeGreaterThan(0);
  await other.query('select pg_advisory_unlock(7)');
  await merging;
  await recorder.close();
  const done = await history('r1');
  expect(done).toMatchObject({
    ...{ status: 'completed', current_step: 'completed', rows_restored: 5, errors_encountered: 0 },
    ...{ snapshot_id: 's1', initiated_by: 'ann', reason: 'a bad import', tenant_id: null },
    tables_restored: ['public.teams', 'public.people'],
    fk_constraints_handled: { disabled: 1, enabled: 1 },
    metadata: {
      strategy: 'overwrite',
      tables: [
        { table: 'teams', inserted: 2 },
        { table: 'people', inserted: 3 },
      ],
    },
  });
  expect(done.restoration_steps.map((step) => [step.status, step.rows_restored])).toEqual([
    ['completed', 2],
    ['completed', 3],
  ]);
  expect(held.transaction_ids).toEqual([expect.stringMatching(/^\d+$/)]);
  expect(done.transaction_ids).toEqual(held.transaction_ids);
  expect(done.duration_seconds).toBeGreaterThanOrEqual(0);
});

test('what was rolled back is not completed, and once it is given up no merge of it commits', async () => {
  await client.query("delete from people; delete from teams; insert into teams values (7, 'mine')");
  await beginHistory(client, begun('r2'), null);
  const zombie = await open('r2');
  const recorder = await open('r2');
  const failing = merge(recorder, client, () => client.query('select 1 / 0'));
  const error = await failing.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ThawError)) throw error;
  recorder.failed(error);
  await recorder.close();
  expect(await history('r2')).toMatchObject({
    ...{ status: 'in_progress', errors_encountered: 1, tables_restored: [], rows_restored: null },
    error_details: { code: 'RowRejected', error: error.message },
  });
  // Twice, as the answer to the first may be lost.
  for (const _ of [1, 2]) expect(await failHistory(other, 'r2', historyError(error))).toBe(true);
  const failed = await history('r2');
  expect(failed).toMatchObject({
    ...{
      status: 'failed',
      current_step: 'failed',
      errors_encountered: 1,
      rows_restored: 0,
      tables_restored: [],
    },
    fk_constraints_handled: { disabled: 1, enabled: 1 },
  });
  expect(failed.restoration_steps.map(({ status }) => status)).toEqual(['failed', 'failed']);
  await expect(merge(zombie)).rejects.toMatchObject({ code: 'ConflictFound' });
  await zombie.close();
  expect(await rowsOf(client, 'teams')).toEqual(['(7,mine)']);
  expect(await history('r2')).toEqual(failed);
  // The same restore, asked for again.
  await beginHistory(client, begun('r2'), null);
  const again = await open('r2');
  await merge(again);
  await again.close();
  expect(await history('r2')).toMatchObject({ status: 'completed', rows_restored: 5 });
});

test('a restore that is about to commit is not given up', async () => {
  await client.query('delete from people; delete from teams');
  await beginHistory(client, begun('r3'), null);
  const recorder = await open('r3');
  const error = { code: 'DatabaseUnavailable', error: 'gone', hint: null, object: null, sqlstate: null };
  let givenUp: Promise<boolean> | null = null;
  await merge(recorder, client, async () => {
    givenUp = failHistory(other, 'r3', error);
    await vi.waitFor(async () => {
      const { rowCount } = await client.query(
        "select from pg_locks where not granted and locktype = 'transactionid'",
      );
      expect(rowCount).toBe(1);
    }, 20_000);
  });
  expect(await givenUp).toBe(false);
  await recorder.close();
  expect(await history('r3')).toMatchObject({
    status: 'completed',
    errors_encountered: 0,
    error_details: null,
  });
});

test('a merge goes on where the connection of its history is lost', async () => {
  await client.query('delete from people; delete from teams');
  await beginHistory(client, begun('r4'), null);
  const lost: ThawError[] = [];
  const recorder = await open('r4', (error) => lost.push(error));
  await other.query('select pg_advisory_lock(7)');
  const merging = merge(recorder);
  await vi.waitFor(
    async () => expect((await history('r4')).current_step).toBe('restoring_public.people'),
    20_000,
  );
  await other.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'recorder r4'",
  );
  recorder.at('told to nobody');
  await vi.waitFor(() => expect(lost).toMatchObject([{ code: 'DatabaseUnavailable' }]), 20_000);
  await other.query('select pg_advisory_unlock(7)');
  await merging;
  await recorder.close();
  expect(await history('r4')).toMatchObject({
    status: 'completed',
    tables_restored: ['public.teams', 'public.people'],
  });
});

test('of two restores of a tenant that begin at the same moment, one is too many', async () => {
  const tenant = (value: string) => ({ column: 'tenant_id', value });
  const both = await Promise.allSettled([
    beginHistory(client, begun('l1', tenant('42')), 1),
    beginHistory(other, begun('l2', tenant('42')), 1),
  ]);
  expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  const refused = both.find((one) => one.status === 'rejected')?.reason as ThawError;
  expect(refused).toMatchObject({
    code: 'TooManyRestores',
    hint: expect.stringContaining('again in 60 minutes'),
  });
  const kept = (await listHistory(other, { snapshotId: null, tenantId: '42', limit: 9 })).map(
    (one) => one.restore_id,
  );
  expect(kept).toHaveLength(1);
  const [id = ''] = kept;
  // The one that was let in, once more; another tenant; whole tables; without a limit.
  await beginHistory(client, begun(id, tenant('42')), 1);
  await beginHistory(client, begun('l3', tenant('43')), 1);
  for (const whole of ['l4', 'l5']) await beginHistory(client, begun(whole), 1);
  await beginHistory(client, begun('l6', tenant('42')), null);
  await expect(beginHistory(client, begun('l7', tenant('42')), 2)).rejects.toMatchObject({
    code: 'TooManyRestores',
  });
  await client.query("update thaw.snapshot_history set rollback_started_at = now() - interval '61 minutes'");
  await beginHistory(client, begun('l7', tenant('42')), 1);
  expect(
    (await listHistory(other, { snapshotId: 's1', tenantId: null, limit: 1 })).map((one) => one.restore_id),
  ).toEqual(['l7']);
});
