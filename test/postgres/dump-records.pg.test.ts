import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DumpOutcome, DumpProof } from '../../src/contract/dump-activities.ts';
import type { DumpRef, DumpRequest } from '../../src/contract/dump-request.ts';
import { listDrills, writeDrill } from '../../src/postgres/drill-records.ts';
import { readMarks, readProof, writeFault, writeProof } from '../../src/postgres/dump-proofs.ts';
import {
  listDumpRestores,
  readDumpRestore,
  readSurvey,
  readTableRows,
  writeDumpRestore,
  writeSurvey,
  writeTableRows,
} from '../../src/postgres/dump-records.ts';
import { renameKept } from '../../src/postgres/kept.ts';
import { ensureSchema } from '../../src/postgres/schema.ts';
import { openSession, type Session } from './session.ts';

let session: Session;
let client: pg.Client;
let empty: Session;

beforeAll(async () => {
  session = await openSession('dump-records');
  client = session.client;
  await ensureSchema(client);
  empty = await openSession('dump-records-empty');
});

afterAll(async () => {
  await session.close();
  await empty.close();
});

const place = 's3://bucket';
const isoTime = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

function dump(key: string, etag = 'tag'): DumpRef {
  return { key, bytes: 10, etag, modifiedAt: '2025-12-12T00:00:00.000Z', takenAt: null };
}

function proofOf(ref: DumpRef): DumpProof {
  return {
    dump: ref,
    format: 'tar',
    compression: 'gzip',
    serverVersion: '15.18',
    dumpVersion: '15.18',
    dropsTables: false,
    database: 'shop',
    tables: 1,
    rows: 3,
    bytes: 100,
    extensions: [],
    roles: [],
    notices: [],
  };
}

function request(restoreId: string, service = 'argus'): DumpRequest {
  return {
    restoreId,
    service,
    fingerprint: 'f',
    server: 'h:5432',
    database: 'argus_db',
    choice: { kind: 'latest', before: null },
    mode: 'swap',
    into: null,
    create: false,
    owner: null,
    part: { tables: [], schemas: [], sections: [], dataOnly: false, schemaOnly: false, clean: false },
    options: [],
    fallback: 0,
    keepOldSeconds: 0,
    jobs: null,
    allowErrors: false,
    checks: [],
    checkUrls: [],
  };
}

function outcome(restoreId: string, ref: DumpRef, verified: 'verified' | 'failed'): DumpOutcome {
  const after = {
    database: 'argus_db',
    oid: 1,
    serverVersion: '15',
    bytes: 1,
    tables: 1,
    rows: 3,
    estimated: 0,
  };
  return {
    restoreId,
    state: verified === 'verified' ? 'completed' : 'failed',
    service: 'argus',
    database: 'argus_db',
    mode: 'swap',
    dump: ref,
    passedOver: [],
    proof: null,
    report: { outcome: verified, checks: [], tables: [], before: null, after },
    old: null,
    leftBehind: [],
    notices: [],
    error: null,
    seconds: 1,
  };
}

test('what was found in a dump is kept by place, key and entity tag, the newest in place of the older', async () => {
  const ref = dump('prod/a "b" é.dump');
  const tables = [
    { table: 'public.orders', rows: 3 },
    { table: '"My Schema"."T"', rows: null },
  ];
  const toc = [{ kind: 'TABLE', schema: 'public', name: 'orders' }];
  await writeProof(client, place, { proof: { ...proofOf(ref), rows: 1 }, tables: [], toc: null });
  await writeProof(client, place, { proof: proofOf(ref), tables, toc });
  expect(await readProof(client, place, ref)).toEqual({ proof: proofOf(ref), tables, toc });
  expect(await readProof(client, place, { ...ref, etag: 'other' })).toBeNull();
  expect(await readProof(client, 's3://other', ref)).toBeNull();
  expect(await readProof(client, place, dump('none'))).toBeNull();

  await writeFault(client, place, ref, 'ArchiveCorrupt');
  expect(await readProof(client, place, ref)).toBeNull();
  const mark = { key: ref.key, etag: ref.etag, serverVersion: null, verifiedAt: null };
  expect(await readMarks(client, place, [ref])).toEqual([
    { ...mark, provedAt: null, fault: 'ArchiveCorrupt' },
  ]);
  // Read again, it is whole: the disk was not.
  await writeProof(client, place, { proof: proofOf(ref), tables, toc });
  expect(await readMarks(client, place, [ref])).toEqual([
    { ...mark, serverVersion: '15.18', provedAt: isoTime, fault: null },
  ]);
});

test('a restore is kept from what was there before to what came of it', async () => {
  const ref = dump('kept.dump');
  await writeSurvey(client, request('kept'), { facts: { rows: 7 } });
  await writeDumpRestore(client, { request: request('kept'), state: 'running', outcome: null });
  expect(await readSurvey(client, 'kept')).toEqual({ facts: { rows: 7 } });
  expect(await readDumpRestore(client, 'kept')).toEqual({
    request: request('kept'),
    state: 'running',
    outcome: null,
    startedAt: isoTime,
    updatedAt: isoTime,
    endedAt: null,
  });
  const rows = [{ table: 'public.t', before: 7, beforeIsEstimate: true, dump: 3, after: 3 }];
  await writeTableRows(client, 'kept', rows);
  const ended = {
    request: request('kept'),
    state: 'completed',
    outcome: outcome('kept', ref, 'verified'),
  } as const;
  await writeDumpRestore(client, ended);
  expect(await readDumpRestore(client, 'kept')).toEqual({
    ...ended,
    startedAt: isoTime,
    updatedAt: isoTime,
    endedAt: isoTime,
  });
  expect(await readSurvey(client, 'kept')).toEqual({ facts: { rows: 7 } });
  expect(await readTableRows(client, 'kept')).toEqual(rows);
  expect(await readDumpRestore(client, 'none')).toBeNull();
  expect(await readSurvey(client, 'none')).toBeNull();
  expect(await readTableRows(client, 'none')).toBeNull();
});

test('restores are listed by service, the newest first and no more than asked for', async () => {
  for (const [place, id] of ['first', 'second', 'third'].entries()) {
    await writeDumpRestore(client, { request: request(id, 'listed'), state: 'running', outcome: null });
    await client.query(
      `update thaw.dump_restores set started_at = now() + make_interval(hours => $2) where restore_id = $1`,
      [id, place],
    );
  }
  const ids = async (service: string | null, limit: number) =>
    (await listDumpRestores(client, service, limit)).map((restore) => restore.request.restoreId);
  expect(await ids('listed', 2)).toEqual(['third', 'second']);
  expect(await ids('listed', 9)).toEqual(['third', 'second', 'first']);
  expect(await ids('other', 9)).toEqual([]);
  expect((await ids(null, 2))[0]).toBe('third');
});

test('a dump is marked as verified by a restore of the same bytes, all of them, that was found to be what it says', async () => {
  const marked = ['good.dump', 'bad.dump', 'proved.dump', 'part.dump'].map((key) => dump(key));
  const cleaned = { ...request('m1'), part: { ...request('m1').part, clean: true } };
  const [good, bad, proved, part] = marked as [DumpRef, DumpRef, DumpRef, DumpRef];
  await writeDumpRestore(client, {
    request: cleaned,
    state: 'completed',
    outcome: outcome('m1', good, 'verified'),
  });
  await writeDumpRestore(client, {
    request: request('m2'),
    state: 'failed',
    outcome: outcome('m2', bad, 'failed'),
  });
  const some = { ...request('m3').part, dataOnly: true };
  await writeDumpRestore(client, {
    request: { ...request('m3'), part: some },
    state: 'completed',
    outcome: outcome('m3', part, 'verified'),
  });
  await writeProof(client, place, { proof: proofOf(proved), tables: [], toc: null });
  const nothing = { provedAt: null, fault: null, serverVersion: null, verifiedAt: null };
  expect(await readMarks(client, place, [...marked, { ...good, etag: 'replaced' }])).toEqual([
    { key: 'good.dump', etag: 'tag', ...nothing, verifiedAt: isoTime },
    { key: 'bad.dump', etag: 'tag', ...nothing },
    { key: 'proved.dump', etag: 'tag', ...nothing, provedAt: isoTime, serverVersion: '15.18' },
    { key: 'part.dump', etag: 'tag', ...nothing },
    { key: 'good.dump', etag: 'replaced', ...nothing },
  ]);
});

test('drills are listed by subject, the newest first and no more than asked for', async () => {
  const drill = (drillId: string, day: number) => ({
    drillId,
    subject: 'argus',
    outcome: 'verified' as const,
    report: { day },
    startedAt: `2025-12-0${day}T02:00:00.000Z`,
    endedAt: `2025-12-0${day}T02:10:00.000Z`,
  });
  for (const day of [1, 3, 2]) await writeDrill(client, drill(`d${day}`, day));
  await writeDrill(client, { ...drill('other', 4), subject: 'hermes' });
  await writeDrill(client, { ...drill('d1', 1), outcome: 'failed' });
  expect(await listDrills(client, 'argus', 2)).toEqual([drill('d3', 3), drill('d2', 2)]);
  expect((await listDrills(client, null, 9)).map(({ drillId, outcome }) => [drillId, outcome])).toEqual([
    ['other', 'verified'],
    ['d3', 'verified'],
    ['d2', 'verified'],
    ['d1', 'failed'],
  ]);
});

test('a database that Thaw never wrote into has no records, and who may not read them is told so', async () => {
  const ref = dump('k');
  expect(await readProof(empty.client, place, ref)).toBeNull();
  expect(await readMarks(empty.client, place, [ref])).toEqual([]);
  expect(await readSurvey(empty.client, 'r')).toBeNull();
  expect(await listDumpRestores(empty.client, null, 9)).toEqual([]);
  expect(await listDrills(empty.client, null, 9)).toEqual([]);
  const stranger = await session.open(await session.makeUser());
  await expect(ensureSchema(stranger)).rejects.toMatchObject({ code: 'PermissionDenied' });
  await expect(readMarks(stranger, place, [ref])).rejects.toMatchObject({ code: 'PermissionDenied' });
  await expect(
    writeDumpRestore(stranger, { request: request('x'), state: 'running', outcome: null }),
  ).rejects.toMatchObject({ code: 'PermissionDenied', object: 'thaw.dump_restores' });
});

test('records go aside for those that a dump brings, and come back where it brings none', async () => {
  expect(await renameKept(client, 'thaw', 'thaw_before_r1')).toBe(true);
  expect(await renameKept(client, 'thaw', 'thaw_before_r2')).toBe(false);
  await client.query('create schema thaw');
  expect(await renameKept(client, 'thaw_before_r1', 'thaw')).toBe(false);
  await client.query('drop schema thaw');
  expect(await renameKept(client, 'thaw_before_r1', 'thaw')).toBe(true);
  expect(await listDumpRestores(client, null, 1)).toHaveLength(1);
});
