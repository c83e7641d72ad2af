import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DatabaseConfig } from '../../../src/config/thaw-config.ts';
import type { DumpCheck } from '../../../src/contract/dump-activities.ts';
import type { DumpPart } from '../../../src/contract/dump-request.ts';
import { type DatabaseSurvey, surveyDatabase } from '../../../src/dump/verify/survey.ts';
import { type Verification, verifyDatabase } from '../../../src/dump/verify/verify.ts';
import type { DatabaseObject } from '../../../src/postgres/dump-objects.ts';
import { clientPrograms, describeWithPrograms, pgDump, runWithUrl } from '../../harness/client-programs.ts';
import { createTestDatabase, type TestDatabase } from '../../harness/postgres.ts';
import { zooSql } from '../zoo.ts';
import { databaseConfig, writeTemporary } from './verify-site.ts';

const signal = new AbortController().signal;
const env = {};
const wholePart: DumpPart = {
  tables: [],
  schemas: [],
  sections: [],
  dataOnly: false,
  schemaOnly: false,
  clean: false,
};

describeWithPrograms('a database that was restored from a dump of pg_dump', () => {
  let source: TestDatabase;
  let restored: TestDatabase;
  let before: DatabaseSurvey;
  let toc: DatabaseObject[];

  beforeAll(async () => {
    source = await createTestDatabase('verify_source');
    restored = await createTestDatabase('verify_restored');
    const client = await source.client();
    await client.query(zooSql);
    before = await surveyDatabase({ connection: databaseConfig(source), env, seconds: null, signal });
    const dump = await writeTemporary(await pgDump(source, '--format=custom'));
    await runWithUrl(clientPrograms().pgRestore, restored, ['--exit-on-error', dump]);
    toc = tocOf(await runWithUrl(clientPrograms().pgRestore, restored, ['--list', dump]));
  });

  afterAll(async () => {
    await source.drop();
    await restored.drop();
  });

  const verification = (connection: DatabaseConfig, more: Partial<Verification> = {}): Verification => ({
    connection,
    env,
    expected: {
      tables: before.tables.map(({ table, rows }) => ({ table, rows })),
      toc,
      extensions: ['hstore', 'citext'],
    },
    restored: { part: wholePart, options: [] },
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
    });
  });
});

/** The lines of `pg_restore --list`. */
function tocOf(list: Buffer): DatabaseObject[] {
  const kinds = /^\d+; \d+ \d+ ((?:[A-Z]+ )*?[A-Z]+) (-|shop|public|Odd "Schema) (.*) \S*$/;
  return list
    .toString()
    .split('\n')
    .flatMap((line) => {
      const [, kind, schema, name] = kinds.exec(line) ?? [];
      return kind === undefined || name === undefined ? [] : [{ kind, schema: schema ?? null, name }];
    });
}

function notPassed(checks: readonly DumpCheck[]): readonly DumpCheck[] {
  return checks.filter(({ outcome }) => outcome !== 'passed');
}
