import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AuditPlaces, writeAuditTrail } from '../../src/load/audit-trail.ts';
import { auditKey, endEvent, startEvent } from '../../src/restore/audit-event.ts';
import { emptyTally } from '../../src/restore/tally.ts';
import { openStore } from '../../src/store/open-store.ts';
import { type Damage, writeArchive } from '../harness/archive-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

let thaw: TestThaw;

beforeAll(async () => {
  thaw = await createTestThaw('audit', 'worker', { auditTrail: 'both' });
});

afterAll(() => thaw?.close());

/** An event as it was written. */
interface Written {
  readonly event_type: string;
  readonly timestamp: string;
  readonly metadata: { readonly restore_id: string };
}

/** The events of a table in the bucket, in the order of their keys, each with the key. */
async function events(table: string): Promise<(Written & { key: string })[]> {
  const keys = await thaw.bucket.keys('archives/audit/');
  const all = await Promise.all(
    keys.map(async (key) => ({
      key,
      ...(JSON.parse(Buffer.from(await thaw.bucket.get(key)).toString()) as Written & { table: string }),
    })),
  );
  return all.filter((event) => event.table === table).map(({ table: _, ...event }) => event);
}

async function rowsOf(table: string): Promise<unknown[]> {
  const { rows } = await thaw.pg.query(
    `select to_char(timestamp at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') as timestamp,
       event_type, database_name as database, schema_name as schema, record_count::int, s3_path, status,
       duration_seconds, operator, error_message, metadata
     from archiver_audit_log where table_name = $1 order by id`,
    [table],
  );
  return rows;
}

async function archive(table: string, batch: number, corrupt?: Damage): Promise<string> {
  const { key } = await writeArchive(thaw.bucket.put, {
    database: thaw.database.name,
    table,
    archivedAt: '2026-01-04T05:20:21+00:00',
    batch,
    rows: [{ id: batch }],
    primaryKey: 'id',
    ...(corrupt === undefined ? {} : { corrupt }),
  });
  return key;
}

describe('a restore', () => {
  test('leaves its start and its success beside the archives and in the database', async () => {
    await thaw.pg.query('create table good (id int primary key)');
    const key = await archive('good', 1);
    const request = { ...thaw.request(['good']), keys: [key] };
    await thaw.restores.start(request);
    await thaw.restores.outcome(request.restoreId);

    const common = { database: thaw.database.name, schema: 'public', s3_path: key, operator: 'thaw' };
    const metadata = { restore_id: request.restoreId, target: 'public.good' };
    const written = await events('good');
    expect(written).toMatchObject([
      {
        ...{ ...common, event_type: 'restore_start', record_count: null, status: 'started' },
        ...{ duration_seconds: null, error_message: null, metadata },
      },
      {
        ...{ ...common, event_type: 'restore_success', record_count: 1, status: 'success' },
        ...{ duration_seconds: expect.any(Number), error_message: null },
        metadata: {
          ...metadata,
          archives: { restored: 1, earlier: 0, failed: 0 },
          rows: { inserted: 1, updated: 0, skipped: 0, failed: 0 },
        },
      },
    ]);
    const [start] = written;
    const [, day, time] = /^(\d{4}-\d{2}-\d{2})T(.*)\+00:00$/.exec(start?.timestamp ?? '') ?? [];
    const [year, month, date] = day?.split('-') ?? [];
    expect(start?.key).toBe(
      `archives/audit/year=${year}/month=${month}/day=${date}/${year}${month}${date}T${time?.replaceAll(':', '')}Z_restore_start.json`,
    );
    expect(await rowsOf('good')).toEqual(written.map(({ key: _, ...event }) => event));
  });

  test('that lacks an archive has failed, and why', async () => {
    await thaw.pg.query('create table bad (id int primary key)');
    await archive('bad', 1);
    await archive('bad', 2, 'compressed-sha256');
    await thaw.restore(['bad']);
    expect(await events('bad')).toMatchObject([
      { event_type: 'restore_start' },
      {
        event_type: 'restore_failure',
        status: 'failed',
        record_count: 1,
        s3_path: null,
        error_message: expect.stringMatching(
          /^1 archive failed, the first with ChecksumMismatch: .*_batch_002/,
        ),
      },
    ]);
  });

  test('of a table that is not there has failed, and why', async () => {
    await archive('absent', 1);
    await thaw.restore(['absent']);
    expect(await events('absent')).toMatchObject([
      { event_type: 'restore_start' },
      { event_type: 'restore_failure', error_message: expect.stringMatching(/^TargetMissing: /) },
    ]);
  });

  test('says what the trail lacks, and goes on', async () => {
    await thaw.pg.query('create table refused (id int primary key)');
    await thaw.pg.query(
      `alter table archiver_audit_log add constraint refused check (table_name <> 'refused')`,
    );
    await archive('refused', 1);
    const outcome = await thaw.restore(['refused']);
    expect(outcome).toMatchObject({ state: 'completed', tally: { archives: { restored: 1 } } });
    expect(outcome.tables[0]?.notices).toEqual([
      expect.stringMatching(/^The audit trail lacks restore_start: archiver_audit_log: /),
      expect.stringMatching(/^The audit trail lacks restore_success: archiver_audit_log: /),
    ]);
    expect(await events('refused')).toHaveLength(2);
  });
});

test('an event that is tried again is there once, and one of the same moment beside it', async () => {
  const store = await openStore(thaw.config.store, {});
  const places: AuditPlaces = {
    ...{ storageType: 'both', store, prefix: 'archives' },
    withClient: (action) => action(thaw.pg),
  };
  const table = { table: 'twice', schema: 'public', intoSchema: 'public', intoTable: 'twice' };
  const scope = { restoreId: 'one', fingerprint: '', database: 'd', table };
  const at = new Date('2031-01-02T03:04:05.678Z');
  const event = startEvent({ scope, keys: null }, at);
  await writeAuditTrail(places, event);
  await writeAuditTrail(places, event);
  const other = startEvent({ scope: { ...scope, restoreId: 'two' }, keys: null }, at);
  await writeAuditTrail(places, other);
  await writeAuditTrail(places, other);
  const stem = 'archives/audit/year=2031/month=01/day=02/20310102T030405';
  expect((await events('twice')).map(({ key, metadata }) => [key, metadata.restore_id])).toEqual([
    [`${stem}.678000Z_restore_start.json`, 'one'],
    [`${stem}.678001Z_restore_start.json`, 'two'],
  ]);
  expect(await rowsOf('twice')).toHaveLength(2);
  store.close();
});

test('the key has no prefix where the archives have none, and a cancelled restore has failed', () => {
  const table = { table: 't', schema: 's', intoSchema: 's', intoTable: 't' };
  const audited = { scope: { restoreId: 'r', fingerprint: '', database: 'd', table }, keys: null };
  const outcome = { tally: emptyTally, failures: [], error: null, cancelled: true };
  const event = endEvent(audited, new Date('2026-01-02T03:04:05Z'), outcome, 1.5);
  expect(auditKey('', event, 0)).toBe(
    'audit/year=2026/month=01/day=02/20260102T030405.000000Z_restore_failure.json',
  );
  expect(event).toMatchObject({ error_message: 'The restore was cancelled.', duration_seconds: 1.5 });
});
