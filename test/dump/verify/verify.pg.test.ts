import { mkdtemp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { DatabaseConfig } from '../../../src/config/thaw-config.ts';
import type { DumpCheck } from '../../../src/contract/dump-activities.ts';
import { type DumpPart, wholeDump } from '../../../src/contract/dump-request.ts';
import { PlainScan } from '../../../src/dump/format/plain-scan.ts';
import { type ProvenDump, proveDump } from '../../../src/dump/format/prove.ts';
import { type DatabaseSurvey, surveyDatabase } from '../../../src/dump/verify/survey.ts';
import { type Verification, verifyDatabase } from '../../../src/dump/verify/verify.ts';
import { verifyCluster } from '../../../src/dump/verify/verify-cluster.ts';
import { FolderStore } from '../../../src/store/folder-store.ts';
import { clientPrograms, describeWithPrograms, pgDump, runWithUrl } from '../../harness/client-programs.ts';
import { asAdministrator, createTestDatabase, type TestDatabase } from '../../harness/postgres.ts';
import { zooSql } from '../zoo.ts';
import { databaseConfig } from './verify-site.ts';

const signal = new AbortController().signal;
const env = {};

describeWithPrograms('a database that was restored from a dump of pg_dump', () => {
  let source: TestDatabase;
  let restored: TestDatabase;
  let before: DatabaseSurvey;
  let proven: ProvenDump;
  let dump: string;

  beforeAll(async () => {
    source = await createTestDatabase('verify_source');
    restored = await createTestDatabase('verify_restored');
    const client = await source.client();
    await client.query(zooSql);
    before = await surveyDatabase({ connection: databaseConfig(source), env, seconds: null, signal });
    const folder = await mkdtemp(path.join(inject('stack').folder, 'verify-'));
    dump = path.join(folder, 'dump');
    await writeFile(dump, await pgDump(source, '--format=custom'));
    const store = new FolderStore({ kind: 'folder', path: folder, prefix: '' });
    const { etag, bytes } = await store.open('dump');
    const ref = { key: 'dump', bytes, etag, modifiedAt: '', takenAt: null };
    proven = await proveDump(store, ref, { env: process.env, signal });
    await runWithUrl(clientPrograms().pgRestore, restored, ['--exit-on-error', dump]);
  });

  afterAll(async () => {
    await source.drop();
    await restored.drop();
  });

  const verification = (connection: DatabaseConfig, more: Partial<Verification> = {}): Verification => ({
    connection,
    env,
    expected: { tables: proven.tables, toc: proven.toc, extensions: proven.proof.extensions },
    restored: { part: wholeDump, options: [] },
    before,
    appends: false,
    checks: [],
    checkUrls: [],
    signal,
    ...more,
  });

  test('is verified, with every check passed', async () => {
    const { report, tables } = await verifyDatabase(verification(databaseConfig(restored)));
    expect(notPassed(report.checks)).toEqual([]);
    expect(report.outcome).toBe('verified');
    expect(tables.find(({ table }) => table === 'shop.events_2025')).toEqual({
      table: 'shop.events_2025',
      before: 11,
      beforeIsEstimate: false,
      dump: 11,
      after: 11,
    });
    expect(report.after).toMatchObject({
      database: restored.name,
      tables: before.facts.tables,
      rows: before.facts.rows,
      estimated: 0,
    });
    const [objects] = report.checks.filter(({ name }) => name === 'objects');
    expect(objects?.detail).toBe(`None of 83 is missing. Not looked for: COMMENT.`);
    const client = await restored.client();
    const { rows } = await client.query(`select reltuples from pg_class where relname = 'customers'`);
    await client.end();
    expect(rows).toEqual([{ reltuples: 20 }]);
  });

  const faults: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
    [
      'a row is missing',
      'delete from shop.orders where id = 3',
      { rows: 'failed: Other than in the dump: shop.orders has 14 (dump: 15).' },
    ],
    [
      'an index is not valid',
      `update pg_index set indisvalid = false where indexrelid = 'shop.orders_note'::regclass`,
      { indexes: 'failed: Not valid: shop.orders_note.' },
    ],
    [
      'a foreign key is gone',
      'alter table shop.orders drop constraint orders_customer_id_fkey',
      { objects: 'failed: 1 of 83 are not there: fk constraint shop.orders orders_customer_id_fkey.' },
    ],
    [
      'a sequence is behind',
      `select setval('shop.orders_id_seq', 14)`,
      {
        sequences:
          'failed: Behind their columns, so that the next insert fails: shop.orders_id_seq of shop.orders.id.',
      },
    ],
    [
      'an extension is gone',
      'alter table shop.orders drop column tags; drop extension hstore',
      {
        objects: 'failed: 1 of 83 are not there: extension hstore.',
        extensions: 'failed: Not there: hstore.',
      },
    ],
    [
      'a view is gone',
      'drop view shop.shown',
      { objects: 'failed: 1 of 83 are not there: view shop.shown.' },
    ],
    [
      'nothing but what needs an eye is off',
      `update pg_constraint set convalidated = false where conname = 'orders_customer_id_fkey';
       select setval('"Odd ""Schema"."we ird.täble_se q_seq"', 1)`,
      {
        constraints:
          'warning: Not validated, so that rows may violate them: shop.orders orders_customer_id_fkey.',
        sequences:
          'warning: Behind their columns: "Odd ""Schema"."we ird.täble_se q_seq" of "Odd ""Schema"."we ird.täble"."se q".',
      },
    ],
    [
      'much is off',
      `insert into shop.events (at) values ('2025-02-03');
       drop table shop.carts;
       drop function shop.f(integer, text);
       create function shop.f(integer) returns integer language sql as 'select 1';
       drop operator shop.=== (bigint, bigint);
       refresh materialized view shop.sums with no data`,
      {
        objects:
          'failed: 5 of 83 are not there: function shop.f(integer, text), operator shop.===, table shop.carts, ',
        rows: 'failed: Other than in the dump: shop.carts is not there (dump: 4), shop.events_2025 has 12 (dump: 11).',
        'materialized views': 'failed: Not populated: shop.sums.',
      },
    ],
  ];
  test.each(faults)('is not, once %s', async (_, sql, expected) => {
    const { report } = await verifyChanged(sql);
    const said = notPassed(report.checks).map(({ name, outcome, detail }) => [name, `${outcome}: ${detail}`]);
    expect(Object.fromEntries(said)).toEqual(
      Object.fromEntries(
        Object.entries(expected).map(([name, text]) => [name, expect.stringContaining(text)]),
      ),
    );
    const isFailed = Object.values(expected).some((text) => text.startsWith('failed'));
    expect(report.outcome).toBe(isFailed ? 'failed' : 'verified');
  });

  test('is left to its owner where it was no better before', async () => {
    const sql = `select setval('shop.orders_id_seq', 14);
      update pg_index set indisvalid = false where indexrelid = 'shop.orders_note'::regclass`;
    const flawed = await changed(sql, (connection) =>
      surveyDatabase({ connection, env, seconds: null, signal }),
    );
    const { report } = await verifyChanged(sql, { before: flawed });
    expect(report.outcome).toBe('verified');
    expect(notPassed(report.checks).map(({ name, outcome }) => [name, outcome])).toEqual([
      ['indexes', 'warning'],
      ['sequences', 'warning'],
    ]);
  });

  test('is verified by what a plain dump says of itself, too', async () => {
    const scan = new PlainScan('plain');
    scan.push(await pgDump(source));
    const expected = scan.end();
    expect(expected.toc.length).toBeGreaterThan(100);
    const { report, tables } = await verifyDatabase(verification(databaseConfig(restored), { expected }));
    expect(notPassed(report.checks)).toEqual([]);
    expect(tables.filter(({ dump, after }) => dump !== after)).toEqual([]);
    const fewer = expected.tables.map((each) => (each.table === 'shop.cats' ? { ...each, rows: 1 } : each));
    const wrong = await verifyDatabase(
      verification(databaseConfig(restored), { expected: { ...expected, tables: fewer } }),
    );
    expect(notPassed(wrong.report.checks)).toEqual([
      { name: 'rows', outcome: 'failed', detail: 'Other than in the dump: shop.cats has 2 (dump: 1).' },
    ]);
    expect(wrong.report.tables[0]).toMatchObject({ table: 'shop.cats', dump: 1, after: 2 });
  });

  test('is verified with the others of its cluster, by the rows of each', async () => {
    const of = ({ name }: TestDatabase) => proven.tables.map((each) => ({ ...each, database: name }));
    const first = verification({ ...databaseConfig(restored), name: 'postgres' }, { before: null });
    const connection = (name: string) => databaseConfig(restored, name);
    const both = [...of(restored), ...of(source)];
    const { report, tables } = await verifyCluster(first, both, connection);
    expect(report).toMatchObject({ outcome: 'verified', before: null });
    expect(tables.filter(({ dump }) => dump !== null)).toHaveLength(both.length);
    expect(report.checks).toContainEqual(
      expect.objectContaining({ name: `${source.name}: rows`, outcome: 'passed' }),
    );

    const wrong = both.map((each) => (each === both.at(-1) ? { ...each, rows: 77 } : each));
    const failed = await verifyCluster(first, wrong, connection);
    expect(failed.report.outcome).toBe('failed');
    expect(failed.tables[0]).toMatchObject({ table: `${source.name}.${wrong.at(-1)?.table}`, dump: 77 });
    expect((await verifyCluster(first, [], connection)).report.outcome).toBe('inconclusive');
  });

  test.each([
    ['through the roots of partitions', '--load-via-partition-root'],
    ['by inserts', '--rows-per-insert=7'],
    ['without those of unlogged tables', '--no-unlogged-table-data'],
  ])('is verified by a dump that has rows %s', async (_, option) => {
    const scan = new PlainScan('plain');
    scan.push(await pgDump(source, option));
    const { report, tables } = await verifyDatabase(
      verification(databaseConfig(restored), { expected: scan.end() }),
    );
    expect(report.outcome).toBe('verified');
    const compared = tables.filter(({ dump }) => dump !== null).map(({ table }) => table);
    const isRoot = option === '--load-via-partition-root';
    expect(compared.includes('shop.events')).toBe(isRoot);
    expect(compared.includes('shop.events_2025')).toBe(!isRoot);
    expect(compared.includes('shop.carts')).toBe(option !== '--no-unlogged-table-data');
  });

  test('is compared by rows alone where the dump has no list, and not at all without counts', async () => {
    const connection = databaseConfig(restored);
    const expected = { tables: before.tables, toc: null, extensions: [] };
    const plain = await verifyDatabase(verification(connection, { expected }));
    expect(plain.report.outcome).toBe('verified');
    expect(notPassed(plain.report.checks).map(({ name, outcome }) => [name, outcome])).toEqual([
      ['objects', 'skipped'],
    ]);
    const uncounted = before.tables.map(({ table }) => ({ table, rows: null }));
    for (const tables of [[], uncounted]) {
      const { report } = await verifyDatabase(
        verification(connection, { expected: { tables, toc: null, extensions: [] } }),
      );
      expect(report.outcome).toBe('inconclusive');
    }
  });

  test('has only what a part of the dump brings', async () => {
    const empty = await createTestDatabase('verify_part');
    try {
      const pgRestore = (...args: string[]) => runWithUrl(clientPrograms().pgRestore, empty, [...args, dump]);
      await pgRestore('--section=pre-data');
      const preData = { ...wholeDump, sections: ['pre-data'] as const };
      const verifyPart = (part: DumpPart, more: Partial<Verification> = {}) =>
        verifyDatabase(
          verification(databaseConfig(empty), { before: null, restored: { part, options: [] }, ...more }),
        );
      const definitions = await verifyPart(preData);
      expect(notPassed(definitions.report.checks)).toEqual([]);
      expect((await verifyPart(wholeDump)).report.outcome).toBe('failed');

      await pgRestore('--data-only', '--schema=shop', '--table=carts');
      const carts = { ...wholeDump, dataOnly: true, tables: ['carts'], schemas: ['shop'] };
      const rows = async (appends: boolean, survey: DatabaseSurvey | null) =>
        (await verifyPart(carts, { appends, before: survey })).report.checks.find(
          ({ name }) => name === 'rows',
        );
      expect(await rows(false, null)).toMatchObject({
        outcome: 'passed',
        detail: expect.stringContaining('4 rows in 1 table.'),
      });
      const once = await surveyDatabase({ connection: databaseConfig(empty), env, seconds: null, signal });
      const client = await empty.client();
      await client.query('insert into shop.carts select id + 10 from shop.carts');
      expect(await rows(true, once)).toMatchObject({ outcome: 'passed' });
      expect(await rows(false, once)).toMatchObject({ outcome: 'failed' });
    } finally {
      await empty.drop();
    }
  });

  /** Does something with a copy of the restored database that was changed. */
  async function changed<Result>(
    sql: string,
    work: (connection: DatabaseConfig) => Promise<Result>,
  ): Promise<Result> {
    const name = `${restored.name}_changed`;
    await asAdministrator(`create database ${name} template ${restored.name}`);
    try {
      const url = new URL(restored.url);
      url.pathname = `/${name}`;
      await asAdministrator(sql, url.href);
      return await work(databaseConfig(restored, name));
    } finally {
      await asAdministrator(`drop database ${name} with (force)`);
    }
  }

  const verifyChanged = (sql: string, more: Partial<Verification> = {}) =>
    changed(sql, (connection) => verifyDatabase(verification(connection, more)));
});

function notPassed(checks: readonly DumpCheck[]): readonly DumpCheck[] {
  return checks.filter(({ outcome }) => outcome !== 'passed');
}
