import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { mine, nobody, openPitrSite, other, type PitrSite } from './pitr-site.ts';

let site: PitrSite;

beforeAll(async () => {
  site = await openPitrSite('pitr_rollback');
});

afterAll(() => site.close());

// A circle, a reference to itself, and a table outside the snapshot that would lose rows along with these.
beforeEach(() =>
  site.client.query(`
    drop table if exists team, person, badge cascade;
    create table team (id int primary key, tenant_id uuid not null, lead int, name text);
    create table person (
      id int primary key, tenant_id uuid not null, team int references team on delete cascade,
      boss int references person on delete set null, code text unique
    );
    alter table team add constraint leads foreign key (lead) references person;
    comment on constraint leads on team is 'who leads';
    create table badge (id int primary key, owner int references person on delete cascade deferrable);
    insert into team values (1, '${mine}', null, 'red'), (2, '${other}', null, 'theirs');
    insert into person values (1, '${mine}', 1, null, 'a'), (2, '${mine}', 1, 1, 'b'), (3, '${other}', 2, null, 'c');
    update team set lead = id where id = 1;
    insert into badge values (1, 1), (2, 2)`),
);

const content = async () => ({
  teams: await site.rows('select id, lead, name from team order by id'),
  people: await site.rows('select id, team, boss, code from person order by id'),
  badges: await site.rows('select * from badge order by id'),
});

const take = () => site.value<string>(`create_pitr_snapshot($1, 'x', '{person,team}', 'ann')`, [mine]);

const history = (rollback: unknown) =>
  site.value<Record<string, unknown>>(
    '(select to_jsonb(h) from backup_pitr_rollback_history h where id = $1)',
    [rollback],
  );

test('all tables come back at once, in a circle too, and the rows of others stay', async () => {
  const before = { ...(await content()), keys: await site.foreignKeys() };
  const snapshot = await take();
  await site.client.query(`
    insert into team values (5, '${mine}', null, 'new');
    insert into person values (6, '${mine}', 5, 2, 'f');
    update team set lead = 6, name = 'blue' where id = 1;
    update person set code = 'x' where id = 1;
    update person set code = 'a', team = 5 where id = 2;
    update person set code = 'b', boss = 2 where id = 1;
    insert into person values (7, '${other}', 2, null, 'g')`);
  const preview = await site.value(`execute_pitr_rollback($1, $2, 'ann', 'why', true)`, [snapshot, mine]);
  expect(preview).toEqual({
    success: true,
    dry_run: true,
    snapshot_id: snapshot,
    tables_to_restore: ['person', 'team'],
    estimated_rows: 3,
    message: 'Dry run completed - no actual restoration performed',
  });
  expect((await content()).teams).toHaveLength(3);

  const result = await site.rollback(snapshot);
  expect(result).toEqual({
    success: true,
    rollback_id: expect.any(String),
    snapshot_id: snapshot,
    tables_restored: ['person', 'team'],
    total_rows_restored: 3,
    errors_encountered: 0,
    fk_constraints_disabled: 4,
    fk_constraints_enabled: 4,
    restoration_results: [
      { success: true, table_name: 'person', rows_restored: 2 },
      { success: true, table_name: 'team', rows_restored: 1 },
    ],
    status: 'completed',
  });
  const theirs = { id: 7, team: 2, boss: null, code: 'g' };
  expect({ ...(await content()), keys: await site.foreignKeys() }).toEqual({
    ...before,
    people: [...before.people, theirs],
  });
  expect(await history(result.rollback_id)).toMatchObject({
    tenant_id: mine,
    snapshot_id: snapshot,
    status: 'completed',
    current_step: 'completed',
    rollback_completed_at: expect.any(String),
    duration_seconds: expect.any(Number),
    rows_restored: 3,
    tables_affected: ['person', 'team'],
    tables_restored: ['person', 'team'],
    errors_encountered: 0,
    initiated_by: 'ann',
    reason: 'bad import',
    fk_constraints_handled: { disabled: 4, enabled: 4 },
    transaction_ids: [expect.stringMatching(/^\d+$/)],
  });
  expect(
    await site.rows(`select status, is_rolled_back, rolled_back_by, rolled_back_at is not null as at
      from backup_pitr_snapshots where id = '${snapshot}'`),
  ).toEqual([{ status: 'rolled_back', is_rolled_back: true, rolled_back_by: 'ann', at: true }]);
  expect(await site.rollback(snapshot)).toEqual({ success: false, error: 'Snapshot already rolled back' });
});

test('a table that cannot be restored leaves all of them as they were, and the history says why', async () => {
  const snapshot = await site.snapshot({
    person: [],
    team: [{ id: 'one', tenant_id: mine, lead: null, name: 'x' }],
  });
  const before = { ...(await content()), keys: await site.foreignKeys() };
  const result = await site.rollback(snapshot);
  expect(result).toMatchObject({
    success: false,
    status: 'failed',
    snapshot_id: snapshot,
    tables_restored: [],
    total_rows_restored: 0,
    errors_encountered: 1,
    error: '1 of 2 tables could not be restored, so none was',
    restoration_results: [
      { success: true, table_name: 'person' },
      { success: false, table_name: 'team', error: expect.stringContaining('invalid input syntax') },
    ],
  });
  expect({ ...(await content()), keys: await site.foreignKeys() }).toEqual(before);
  expect(await history(result.rollback_id)).toMatchObject({
    status: 'failed',
    current_step: 'failed',
    errors_encountered: 1,
    rows_restored: 0,
    tables_restored: [],
    error_details: { error: result.error, hint: 'P0001' },
  });
  expect(await site.rows('select is_disabled from backup_fk_constraints_cache where is_disabled')).toEqual(
    [],
  );
  expect(
    await site.value('(select is_rolled_back from backup_pitr_snapshots where id = $1)', [snapshot]),
  ).toBe(false);
});

test('rows that would break a foreign key fail the rollback as a whole, and their key is told', async () => {
  const before = { ...(await content()), keys: await site.foreignKeys() };
  // A badge, of no snapshot, is of person 2.
  const snapshot = await site.snapshot({
    person: [{ id: 1, tenant_id: mine, team: 1, boss: null, code: 'a' }],
  });
  expect(await site.rollback(snapshot)).toMatchObject({
    success: false,
    status: 'failed',
    sqlstate: '23503',
    error: expect.stringMatching(/"badge_owner_fkey" Key \(owner\)=\(2\) is not present in table "person"\./),
  });
  expect({ ...(await content()), keys: await site.foreignKeys() }).toEqual(before);
});

test('a snapshot that may not be restored is refused in the documented words', async () => {
  const refusal = async (snapshot: string, tenant: string, dryRun: boolean) =>
    site.value(`execute_pitr_rollback($1, $2, 'ann', 'why', $3)`, [snapshot, tenant, dryRun]);
  const sound = await site.snapshot({ team: [] });
  const expired = await site.snapshot({ team: [] }, { expires_at: '2020-01-01' });
  const empty = await site.snapshot({});
  for (const dryRun of [true, false]) {
    const denied = { success: false, error: 'Snapshot not found or access denied' };
    expect(await refusal(nobody, mine, dryRun)).toEqual(denied);
    expect(await refusal(sound, other, dryRun)).toEqual(denied);
    expect(await refusal(expired, mine, dryRun)).toEqual({ success: false, error: 'Snapshot expired' });
    expect(await refusal(empty, mine, dryRun)).toEqual({ success: false, error: 'No tables to restore' });
  }
  const gap = await site.snapshot({ person: [] }, { affected_tables: ['person', 'team'] });
  expect(await site.rollback(gap)).toMatchObject({
    success: false,
    error: 'Snapshot is not sound: snapshot_data has no rows of team',
  });
});

test('of two rollbacks of one snapshot the second waits, and is told', async () => {
  const snapshot = await take();
  const second = await site.open();
  const { rows } = await second.query<{ pid: number }>('select pg_backend_pid() as pid');
  await site.client.query('begin');
  expect(await site.rollback(snapshot)).toMatchObject({ status: 'completed' });
  const answer = second.query(`select execute_pitr_rollback($1, $2, 'bob', 'too') as value`, [
    snapshot,
    mine,
  ]);
  await expect
    .poll(() => site.value('cardinality(pg_blocking_pids($1))', [rows[0]?.pid]), { timeout: 30_000 })
    .toBe(1);
  await site.client.query('commit');
  expect((await answer).rows).toEqual([{ value: { success: false, error: 'Snapshot already rolled back' } }]);
});

test('the older form gives the id of the rollback, or raises the error', async () => {
  const snapshot = await take();
  const before = await content();
  await site.client.query('update person set boss = null');
  const form = `execute_pitr_rollback($1, 'ann', 'why')`;
  expect(await history(await site.value(form, [snapshot]))).toMatchObject({ status: 'completed' });
  expect(await content()).toEqual(before);
  await expect(site.value(form, [snapshot])).rejects.toThrow('Snapshot already rolled back');
});

test('a snapshot is brought forward to a time by the log of changes, in its order', async () => {
  const snapshot = await take();
  await site.client.query(
    `update backup_pitr_snapshots set created_at = '2026-01-01' where id = '${snapshot}'`,
  );
  const log = (
    operation: string,
    at: string,
    before: unknown,
    after: unknown,
    more: Record<string, unknown> = {},
  ) =>
    site.client.query(
      `insert into backup_transaction_logs (tenant_id, table_name, operation, old_data, new_data, changed_at, record_id)
       values ($1, $2, $3, $4, $5, $6, $7)`,
      [more.tenant ?? mine, 'person', operation, before, after, at, more.record ?? null],
    );
  const person = (id: number, code: string, tenant = mine) => ({
    id,
    tenant_id: tenant,
    team: 1,
    boss: null,
    code,
  });
  // Before the snapshot, after the time, or of another tenant: none of these count.
  await log('UPDATE', '2026-01-01', person(1, 'a'), person(1, 'early'));
  await log('UPDATE', '2026-01-03 00:00:01', person(1, 'a'), person(1, 'late'));
  await log('INSERT', '2026-01-02', null, person(50, 'hostile', other), { tenant: other });
  // Of one moment: the order is that of the log.
  await log('UPDATE', '2026-01-02', person(1, 'a'), person(1, 'm'));
  await log('UPDATE', '2026-01-02', person(1, 'm'), person(1, 'n'));
  // Gone and back under another key; made and gone; gone by its id alone, as an older log has it.
  await log('UPDATE', '2026-01-02 01:00', person(1, 'n'), person(11, 'n'));
  await log('INSERT', '2026-01-02 02:00', null, person(12, 'o'));
  await log('INSERT', '2026-01-03', null, person(13, 'p'));
  await log('DELETE', '2026-01-03', person(12, 'o'), null);
  await log('DELETE', '2026-01-02 03:00', null, null, { record: '2' });
  await site.client.query(`update team set lead = null; truncate badge`);
  await site.client.query(
    `update backup_pitr_snapshots set snapshot_data = jsonb_set(snapshot_data, '{team,0,lead}', '13'), checksum = null, metadata = '{}' where id = '${snapshot}'`,
  );
  const before = await content();
  const call = (time: string, tenant: string, ...dryRun: boolean[]) =>
    site.value<Record<string, unknown>>(
      `restore_to_point_in_time($1, $2, $3, 'ann', 'why'${dryRun.map((value) => `, ${value}`)})`,
      [snapshot, tenant, time],
    );
  expect(await call('2026-01-03', mine)).toEqual({
    success: true,
    dry_run: true,
    snapshot_id: snapshot,
    target_timestamp: expect.any(String),
    tables_to_restore: ['person', 'team'],
    estimated_rows: 3,
    changes: { person: { INSERT: 2, UPDATE: 3, DELETE: 2 } },
    message: 'Dry run completed - no actual restoration performed',
  });
  expect(await call('2026-01-03', other)).toMatchObject({ error: 'Snapshot not found or access denied' });
  expect(await call('2999-01-01', mine)).toEqual({ success: false, error: 'Target time is in the future' });
  expect(await call('2025-12-31', mine)).toEqual({
    success: false,
    error: 'Target time is before the snapshot',
  });
  expect(await content()).toEqual(before);

  const result = await call('2026-01-03', mine, false);
  expect(result).toMatchObject({ success: true, base_snapshot_id: snapshot, total_rows_restored: 3 });
  expect((await content()).people).toEqual([
    { id: 3, team: 2, boss: null, code: 'c' },
    { id: 11, team: 1, boss: null, code: 'n' },
    { id: 13, team: 1, boss: null, code: 'p' },
  ]);
  expect((await content()).teams).toContainEqual({ id: 1, lead: 13, name: 'red' });

  await log('UPDATE', '2026-01-02', null, person(1, 'q'));
  expect(await call('2026-01-03', mine)).toMatchObject({
    success: false,
    error: expect.stringMatching(/^Change .* of table person does not tell which row it changed$/),
  });
});
