import { describe, expect, it } from 'vitest';
import { parseRestoreInput } from '../../src/client/restore-input.ts';
import { toRestoreRequest } from '../../src/client/restore-request.ts';
import { parseConfig } from '../../src/config/load-config.ts';

const config = parseConfig(
  `
version: "1.0"
s3: { bucket: archives, prefix: archives }
databases:
  - name: production_db
    host: localhost
    user: thaw
    password: none
    tables:
      - { name: audit_logs }
      - { name: events, schema: app }
      - { name: twice, schema: a }
      - { name: twice, schema: b }
  - { name: empty_db, host: localhost, user: thaw, password: none }
`,
  '/etc/thaw/config.yaml',
  {},
);

const key =
  'archives/production_db/audit_logs/year=2026/month=01/day=04/audit_logs_20260104T052021Z_batch_001.jsonl.gz';

function request(input: object) {
  return toRestoreRequest(parseRestoreInput(input), config, '20260104-052021-abc123');
}

function tables(input: object) {
  return request(input).tables;
}

function refusal(input: object): string {
  try {
    request(input);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return 'accepted';
}

describe('whole tables', () => {
  it('leaves the tables to the configuration when none is named', () => {
    expect(tables({ database: 'production_db', restore_all: true })).toBeNull();
  });

  it('takes the schema that the table is configured in', () => {
    expect(tables({ database: 'production_db', restore_all: true, table: 'events' })).toEqual([
      { table: 'events', schema: 'app', intoSchema: 'app', intoTable: 'events' },
    ]);
  });

  it('takes public for a table that is not configured', () => {
    expect(tables({ database: 'production_db', restore_all: true, table: 'other' })).toEqual([
      { table: 'other', schema: 'public', intoSchema: 'public', intoTable: 'other' },
    ]);
  });

  it('puts rows into another schema and table', () => {
    const input = { database: 'production_db', restore_all: true, table: 'events' };
    expect(tables({ ...input, schema: 'copy', into_table: 'old' })).toEqual([
      { table: 'events', schema: 'app', intoSchema: 'copy', intoTable: 'old' },
    ]);
  });

  it('puts all configured tables into another schema', () => {
    const input = {
      database: 'production_db',
      restore_all: true,
      tables: ['audit_logs', 'events'],
      schema: 'copy',
    };
    expect(tables(input)?.map(({ schema, intoSchema }) => [schema, intoSchema])).toEqual([
      ['public', 'copy'],
      ['app', 'copy'],
    ]);
  });

  it('tells tables of one name apart by the schema', () => {
    const input = { database: 'production_db', restore_all: true, table: 'twice' };
    expect(tables({ ...input, schema: 'b' })).toEqual([
      { table: 'twice', schema: 'b', intoSchema: 'b', intoTable: 'twice' },
    ]);
    expect(refusal(input)).toBe('schema: must be one of those that twice is configured in: a, b');
  });

  it('refuses two tables into one', () => {
    const input = { database: 'production_db', restore_all: true, tables: ['audit_logs', 'events'] };
    expect(refusal({ ...input, schema: 'x', into_table: 'y' })).toBe(
      'tables: must go into different tables (got "x.y")',
    );
  });

  it('wants a table where none is configured', () => {
    expect(refusal({ database: 'empty_db', restore_all: true })).toBe(
      'table: is required, as no table of empty_db is configured',
    );
  });
});

describe('archives by their keys', () => {
  it.each([key, key.replace('archives/', '')])('finds database and table in %s', (s3_key) => {
    const made = request({ s3_key });
    expect(made.database).toBe('production_db');
    expect(made.keys).toEqual([s3_key]);
    expect(made.tables).toEqual([
      { table: 'audit_logs', schema: 'public', intoSchema: 'public', intoTable: 'audit_logs' },
    ]);
  });

  it('passes over the ledger', () => {
    expect(request({ s3_key: key }).options.ignoreWatermark).toBe(true);
    expect(request({ database: 'production_db', restore_all: true }).options.ignoreWatermark).toBe(false);
  });

  it('takes another table for the target, as the old tool did', () => {
    expect(tables({ s3_key: key, table: 'events' })).toEqual([
      { table: 'audit_logs', schema: 'public', intoSchema: 'app', intoTable: 'events' },
    ]);
    expect(tables({ s3_key: key, table: 'audit_logs', into_table: 'copy', schema: 's' })).toEqual([
      { table: 'audit_logs', schema: 'public', intoSchema: 's', intoTable: 'copy' },
    ]);
  });

  it('gives way to restore_all', () => {
    const made = request({ database: 'production_db', s3_key: key, restore_all: true });
    expect(made.keys).toBeNull();
    expect(made.tables).toBeNull();
    expect(made.options.ignoreWatermark).toBe(false);
  });

  it.each([
    [
      { s3_key: 'archives/production_db/x.jsonl.gz' },
      /^s3_key: must lie below archives\/\{database\}\/\{table\}\//,
    ],
    [
      { s3_key: key, database: 'empty_db' },
      /^s3_key: must be an archive of the database empty_db \(got "archives/,
    ],
    [{ s3_key: key.replace('production_db', 'other') }, /^database "other" is not in the configuration$/],
    [
      { s3_key: key, start_date: '2026-01-01' },
      /^start_date: goes with restore_all only \(got "2026-01-01"\)$/,
    ],
    [{ s3_key: key, trust_watermark: true }, /^trust_watermark: goes with restore_all only$/],
    [
      { database: 'production_db', restore_all: true, trust_watermark: true, ignore_watermark: true },
      /^trust_watermark: and ignore_watermark must not both be there$/,
    ],
  ])('refuses %j', (input, message) => {
    expect(refusal(input)).toMatch(message);
  });
});

describe('settings', () => {
  it('has the documented defaults', () => {
    expect(request({ database: 'production_db', restore_all: true }).options).toEqual({
      conflictStrategy: 'skip',
      schemaStrategy: 'lenient',
      keyColumns: null,
      createTable: false,
      columns: null,
      renamedColumns: {},
      disableTriggers: false,
      undoable: false,
      unrestorable: 'fail',
      infinity: 'keep',
      rowsFrom: null,
      rowsTo: null,
      maxRejects: 0,
      batchSize: null,
      verifyFirst: false,
      trustWatermark: false,
      lanes: 4,
      packBytes: 4_194_304,
      commitFrequency: null,
      startDate: null,
      endDate: null,
      ignoreWatermark: false,
      validateChecksums: true,
      dropIndexes: 'never',
      failFast: false,
      heartbeatSeconds: 20,
    });
  });

  it('takes words in any case, numbers as text and sizes with units', () => {
    const { options } = request({
      database: 'production_db',
      restore_all: true,
      conflict_strategy: 'OverWrite',
      schema_migration_strategy: 'STRICT',
      lanes: '8',
      pack_bytes: '1.5MiB',
    });
    expect(options).toMatchObject({
      conflictStrategy: 'overwrite',
      schemaStrategy: 'strict',
      lanes: 8,
      packBytes: 1_572_864,
    });
  });

  it.each([
    [true, 'when_it_pays'],
    ['auto', 'when_it_pays'],
    ['always', 'always'],
    [false, 'never'],
  ] as const)('drop_indexes %j: %s', (drop_indexes, choice) => {
    const { options } = request({ database: 'production_db', restore_all: true, drop_indexes });
    expect(options.dropIndexes).toBe(choice);
  });

  it.each([
    [
      { conflict_strategy: 'merge' },
      'conflict_strategy: must be skip, overwrite, fail or upsert (got "merge")',
    ],
    [{ lanes: 0 }, 'lanes: must be a whole number from 1 to 64 (got 0)'],
    [{ start_date: '2026-02-30' }, 'start_date: must be a day written YYYY-MM-DD (got "2026-02-30")'],
    [
      { start_date: '2026-02-02', end_date: '2026-02-01' },
      'start_date: must not be after end_date 2026-02-01 (got "2026-02-02")',
    ],
    [{ pack_bytes: 'much' }, 'pack_bytes: must be a number of bytes such as 4MiB (got "much")'],
    [{ drop_indexes: 'sometimes' }, 'drop_indexes: must be true, false, auto or always (got "sometimes")'],
    [{ lane: 1 }, 'lane: is not known'],
    [{ database: 'nope' }, 'database "nope" is not in the configuration'],
  ])('refuses %j', (input, message) => {
    expect(refusal({ database: 'production_db', restore_all: true, ...input })).toBe(message);
  });

  it('wants to be told what to restore', () => {
    expect(refusal({ database: 'production_db', table: 'audit_logs' })).toBe(
      'restore_all: or s3_key is required',
    );
    expect(refusal({ restore_all: true })).toBe('database: is required');
  });
});

describe('rows by their own time', () => {
  const all = { database: 'production_db', restore_all: true, table: 'audit_logs' };
  const timed = parseConfig(
    `
version: "1.0"
s3: { bucket: archives, prefix: archives }
databases:
  - { name: production_db, host: localhost, user: thaw, password: none, tables: [{ name: audit_logs, timestamp_column: at }] }
`,
    '/etc/thaw/config.yaml',
    {},
  );
  const asked = (input: object) => toRestoreRequest(parseRestoreInput(input), timed, 'r');

  it('need the column that the configuration names, and not one that is left out', () => {
    expect(refusal({ ...all, rows_from: '2026-01-01' })).toContain('which column has the time of its rows');
    expect(asked({ ...all, rows_from: '2026-01-01' }).options.rowsFrom).toBe('2026-01-01');
    expect(() => asked({ ...all, rows_to: '2026-01-01', columns: ['id'] })).toThrow('--columns leaves out');
  });
});
