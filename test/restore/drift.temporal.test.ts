import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RestoreOutcome } from '../../src/contract/outcome.ts';
import type { RestoreOptions } from '../../src/contract/restore-request.ts';
import { previewRestore, type TablePreview } from '../../src/preview/restore-preview.ts';
import { type ArchivedRow, raw, writeArchive } from '../harness/archive-writer.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';

let thaw: TestThaw;

/** A run of the archiver: only its first batch has the schema that the table had. */
interface Run {
  readonly columns: Readonly<Record<string, string>>;
  /** By the second of archiving. */
  readonly batches: Readonly<Record<string, readonly ArchivedRow[]>>;
}

const bytes = (text: string) => Buffer.from(text).toString('base64');

const first = { id: 'int4', name: 'text', amount: 'int4', note: 'text', raw: 'bytea' };
const added = { ...first, state: 'text' };
const { name: _, note: __, ...rest } = added;
const renamed = { ...rest, id: 'int8', full_name: 'text' };
const { raw: ___, ...others } = renamed;
const retyped = { ...others, amount: 'float8', extra: 'text' };

/** A table of which a column was added, others dropped, renamed and given another type, one after another. */
const runs: readonly Run[] = [
  {
    columns: first,
    batches: {
      '2026-01-04T05:00:00Z': [{ id: 1, name: 'Ann', amount: 1, note: 'x', raw: bytes('ab') }],
      '2026-01-04T05:00:01Z': [{ id: 2, name: 'Bob', amount: 2, note: null, raw: bytes('cd') }],
    },
  },
  {
    columns: added,
    batches: {
      '2026-01-05T23:59:59Z': [{ id: 3, name: 'Cy', amount: 3, note: 'y', raw: bytes('ef'), state: 'old' }],
      '2026-01-06T00:00:01Z': [{ id: 4, name: 'Di', amount: 4, note: 'z', raw: bytes('gh'), state: 'old' }],
    },
  },
  {
    columns: renamed,
    batches: {
      '2026-01-07T05:00:00Z': [{ id: 5, amount: 5, raw: bytes('ij'), state: 'new', full_name: 'Ed' }],
      '2026-01-07T05:00:01Z': [{ id: 6, amount: 6, raw: bytes('kl'), state: 'new', full_name: 'Flo' }],
    },
  },
  {
    columns: retyped,
    batches: {
      '2026-01-08T05:00:00Z': [{ id: 7, amount: raw('7.005'), state: 'new', full_name: 'Gil', extra: 'e' }],
      '2026-01-08T05:00:01Z': [{ id: 8, amount: raw('8.0'), state: 'new', full_name: 'Hal', extra: null }],
    },
  },
];

beforeAll(async () => {
  thaw = await createTestThaw('drift');
  for (const { columns, batches } of runs) {
    for (const [place, [archivedAt, rows]] of Object.entries(batches).entries()) {
      const listed = Object.entries(columns).map(([name, type]) => ({
        name,
        data_type: type,
        udt_name: type,
      }));
      await writeArchive((key, body) => thaw.bucket.put(key, body), {
        ...{ database: thaw.database.name, table: 'items', archivedAt: new Date(archivedAt) },
        ...{ batch: place + 1, rows, primaryKey: 'id' },
        ...(place === 0 ? { tableSchema: { columns: listed } } : {}),
      });
    }
  }
});

afterAll(async () => {
  await thaw.close();
});

/** Restores the archives into a table of its own, each by a load of its own. */
async function restoreInto(
  intoTable: string,
  definition: string,
  options: Partial<RestoreOptions>,
): Promise<RestoreOutcome> {
  await thaw.pg.query(`create table if not exists ${intoTable} (${definition})`);
  return thaw.restore([{ table: 'items', intoTable }], { packBytes: 0, ...options });
}

/** What a dry run tells of the same restore. */
async function preview(
  intoTable: string,
  options: Partial<RestoreOptions>,
): Promise<TablePreview | undefined> {
  const request = thaw.request([{ table: 'items', intoTable }], options);
  const { signal } = new AbortController();
  const job = { config: thaw.config, env: {}, detectConflicts: true, signal };
  return (await previewRestore(request, job))[0];
}

async function rowsOf(table: string): Promise<unknown[]> {
  const { rows } = await thaw.pg.query(`select * from ${table} order by id`);
  return rows.map((row) => ({ ...row, id: Number(row.id) }));
}

function key(day: string, time: string, batch: number): string {
  const folder = `archives/${thaw.database.name}/items/year=2026/month=01/day=${day}`;
  return `${folder}/items_202601${day}T${time}Z_batch_00${batch}.jsonl.gz`;
}

const today = `id bigint primary key, full_name text, amount numeric(12,2), state text not null default 'added', raw text`;
const map = { renamedColumns: { name: 'full_name' } } as const;
const upToRenamed = [
  { id: 1, full_name: 'Ann', amount: '1.00', state: 'added', raw: '\\x6162' },
  { id: 2, full_name: 'Bob', amount: '2.00', state: 'added', raw: '\\x6364' },
  { id: 3, full_name: 'Cy', amount: '3.00', state: 'old', raw: '\\x6566' },
  { id: 4, full_name: 'Di', amount: '4.00', state: 'old', raw: '\\x6768' },
  { id: 5, full_name: 'Ed', amount: '5.00', state: 'new', raw: '\\x696a' },
  { id: 6, full_name: 'Flo', amount: '6.00', state: 'new', raw: '\\x6b6c' },
];

test('lenient restores what comes back as it was, and tells of each column once', async () => {
  await thaw.pg.query(`create table lenient (${today})`);
  const foreseen = await preview('lenient', { ...map, schemaStrategy: 'lenient' });
  const outcome = await restoreInto('lenient', today, { ...map, schemaStrategy: 'lenient' });

  expect(await rowsOf('lenient')).toEqual(upToRenamed);
  expect(outcome).toMatchObject({
    state: 'completed_with_failures',
    tally: { archives: { restored: 6, failed: 2 }, rows: { inserted: 6, failed: 2 } },
  });
  const [table] = outcome.tables;
  const lossy =
    'archived as float8, and the table has numeric(12,2): values may be rounded, cut off or moved to another time zone';
  expect(table?.failures.map(({ archive, code, message }) => ({ archive, code, message }))).toEqual(
    [key('08', '050000', 1), key('08', '050001', 2)].map((archive) => ({
      archive,
      code: 'SchemaIncompatible',
      message: `${archive}: column amount: ${lossy}.`,
    })),
  );
  const [secondRun, thirdRun, fourthRun] = [
    key('05', '235959', 1),
    key('07', '050000', 1),
    key('08', '050000', 1),
  ];
  expect(table?.notices).toEqual([
    'Column note: 3 values left out, as the table has no such column.',
    `Column id: archived as int4, and the table has int8: converted (archives before ${thirdRun}).`,
    `Column name (full_name in the table): renamed (archives before ${thirdRun}).`,
    `Column amount: archived as int4, and the table has numeric(12,2): converted (archives before ${fourthRun}).`,
    `Column state: the archive does not have it; its default is taken (archives before ${secondRun}).`,
    `Column raw: archived as bytea, and the table has text: converted (archives before ${fourthRun}).`,
    `Column note: the table does not have it; its values are left out (archives before ${thirdRun}).`,
    `Column amount: ${lossy} (archives from ${fourthRun} on).`,
    `Column raw: the archive does not have it; it becomes NULL (archives from ${fourthRun} on).`,
    `Column extra: the table does not have it; its values are left out (archives from ${fourthRun} on).`,
  ]);

  // A dry run says the same.
  expect(foreseen?.notices).toEqual(table?.notices.slice(1));
  expect(foreseen?.outcome).toMatchObject({ tally: table?.tally, columnNotes: table?.columnNotes });
  await expect(preview('lenient', { schemaStrategy: 'strict' })).rejects.toMatchObject({
    code: 'SchemaIncompatible',
  });

  const second = await restoreInto('lenient', today, { ...map, endDate: '2026-01-07' });
  expect(second.tally.archives).toEqual({ restored: 0, earlier: 6, failed: 0 });
  expect(second.tables[0]?.notices).toEqual([]);
});

test('transform restores the rest as well, and rounds', async () => {
  const outcome = await restoreInto('transform', today, { ...map, schemaStrategy: 'transform' });

  expect(await rowsOf('transform')).toEqual([
    ...upToRenamed,
    { id: 7, full_name: 'Gil', amount: '7.01', state: 'new', raw: null },
    { id: 8, full_name: 'Hal', amount: '8.00', state: 'new', raw: null },
  ]);
  expect(outcome).toMatchObject({ state: 'completed', tally: { rows: { inserted: 8, failed: 0 } } });
  expect(outcome.tables[0]?.columnNotes).toEqual([
    { column: 'note', kind: 'dropped', values: 3 },
    { column: 'extra', kind: 'dropped', values: 1 },
  ]);
});

test.each(['strict', 'none'] as const)(
  '%s loads nothing where one archive differs',
  async (schemaStrategy) => {
    // As the table was in the end: only the archives of before differ.
    const exact = `id bigint primary key, amount float8, state text, full_name text, extra text`;
    const outcome = await restoreInto(schemaStrategy, exact, { schemaStrategy });
    expect(outcome).toMatchObject({ state: 'failed', tally: { archives: { restored: 0, failed: 0 } } });
    expect(outcome.tables[0]?.error).toMatchObject({
      code: 'SchemaIncompatible',
      message: expect.stringMatching(/_20260104T050000Z_batch_001\.jsonl\.gz: column id: archived as int4/),
    });
    expect(await rowsOf(schemaStrategy)).toEqual([]);

    const last = await restoreInto(schemaStrategy, exact, { schemaStrategy, startDate: '2026-01-08' });
    expect(last.state).toBe('completed');
    expect(await rowsOf(schemaStrategy)).toEqual([
      { id: 7, amount: 7.005, state: 'new', full_name: 'Gil', extra: 'e' },
      { id: 8, amount: 8, state: 'new', full_name: 'Hal', extra: null },
    ]);
  },
);

test('a batch goes by the schema of its run, though that lies on the day before or was restored earlier', async () => {
  const midnight = { startDate: '2026-01-06', endDate: '2026-01-06' };
  const refused = await restoreInto('midnight', today, { ...midnight, schemaStrategy: 'strict' });
  expect(refused.tables[0]?.error?.message).toContain(
    `${key('05', '235959', 1)}: column id: archived as int4`,
  );
  await restoreInto('midnight', today, { ...midnight, ...map });
  expect(await rowsOf('midnight')).toEqual(upToRenamed.slice(3, 4));

  await thaw.pg.query(`create table later (${today})`);
  for (const named of [key('04', '050000', 1), key('06', '000001', 2)]) {
    const request = { ...thaw.request([{ table: 'items', intoTable: 'later' }], map), keys: [named] };
    await thaw.restores.start(request);
    expect(await thaw.restores.outcome(request.restoreId)).toMatchObject({ state: 'completed' });
  }
  expect(await rowsOf('later')).toEqual([upToRenamed[0], upToRenamed[3]]);
  const rest = await restoreInto('later', today, { ...map, endDate: '2026-01-04' });
  expect(rest.tally.archives).toEqual({ restored: 1, earlier: 1, failed: 0 });
  expect(await rowsOf('later')).toEqual([upToRenamed[0], upToRenamed[1], upToRenamed[3]]);
});

test('the newest schema makes the table, and a name that no archive has is refused', async () => {
  const make = { createTable: true, schemaStrategy: 'lenient' } as const;
  const outcome = await thaw.restore([{ table: 'items', intoTable: 'made' }], { ...make, ...map });
  expect(outcome.tally.rows.inserted).toBe(8);
  expect((await rowsOf('made')).slice(5)).toEqual([
    { id: 6, amount: 6, state: 'new', full_name: 'Flo', extra: null },
    { id: 7, amount: 7.005, state: 'new', full_name: 'Gil', extra: 'e' },
    { id: 8, amount: 8, state: 'new', full_name: 'Hal', extra: null },
  ]);
  const unknown = await restoreInto('unknown', today, { renamedColumns: { nmae: 'full_name' } });
  expect(unknown.tables[0]?.error).toMatchObject({
    code: 'InputInvalid',
    message: 'public.unknown: no archive has a column nmae.',
  });
});
