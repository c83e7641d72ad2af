import { expect, test } from 'vitest';
import type { ArchivedColumn, ArchivedSchema } from '../../src/archive/metadata.ts';
import type { SchemaStrategy } from '../../src/contract/restore-request.ts';
import type { TargetColumn } from '../../src/postgres/catalog.ts';
import { checkArchivedNames, checkTargetNames } from '../../src/restore/schema-names.ts';
import {
  type ColumnFate,
  checkSchemaPlan,
  describeSchemaPlan,
  planSchema,
  type SchemaOptions,
} from '../../src/restore/schema-plan.ts';
import { type TypeChange, typeChange } from '../../src/restore/type-change.ts';

function archived(name: string, udtName: string, more: Partial<ArchivedColumn> = {}): ArchivedColumn {
  return {
    name,
    dataType: udtName.startsWith('_') ? 'ARRAY' : udtName,
    udtName,
    characterMaximumLength: null,
    numericPrecision: null,
    numericScale: null,
    nullable: true,
    default: null,
    ordinal: 1,
    ...more,
  };
}

function schemaOf(...columns: ArchivedColumn[]): ArchivedSchema {
  return { columns, primaryKey: null, foreignKeys: [], indexes: [], checks: [], uniques: [] };
}

function column(name: string, typname: string, more: Partial<TargetColumn> = {}): TargetColumn {
  return {
    name,
    type: { kind: 'scalar', name: typname },
    typeName: typname,
    baseTypeName: typname,
    innerDomain: null,
    notNull: false,
    hasDefault: false,
    generated: null,
    identity: null,
    ...more,
  };
}

function options(
  schemaStrategy: SchemaStrategy,
  more: Partial<Omit<SchemaOptions, 'schemaStrategy'>> = {},
): SchemaOptions {
  return { schemaStrategy, columns: null, renamedColumns: {}, ...more };
}

/** `archived>column fate`, a column that one side lacks as `-`. */
function fates(schema: ArchivedSchema | null, target: readonly TargetColumn[], how: SchemaOptions): string[] {
  return planSchema(schema, target, how).columns.map(
    (plan) => `${plan.archived ?? '-'}>${plan.column ?? '-'} ${plan.fate}`,
  );
}

const id = column('id', 'int8', { notNull: true });
const drifted = schemaOf(
  archived('id', 'int8'),
  archived('old_name', 'text'),
  archived('gone', 'text'),
  archived('code', 'int4'),
  archived('amount', 'numeric', { numericPrecision: 12, numericScale: 4 }),
);
const table = [
  id,
  column('name', 'text'),
  column('code', 'text'),
  column('amount', 'numeric', { baseTypeName: 'numeric(12,2)' }),
  column('state', 'text', { hasDefault: true, notNull: true }),
  column('twice', 'int8', { generated: 'stored' }),
];

test.each<[SchemaStrategy, readonly ColumnFate[]]>([
  ['strict', ['taken', 'taken', 'refused', 'refused', 'refused', 'computed', 'refused']],
  ['none', ['taken', 'taken', 'refused', 'refused', 'refused', 'computed', 'refused']],
  ['lenient', ['taken', 'taken', 'converted', 'refused', 'filled', 'computed', 'dropped']],
  ['transform', ['taken', 'taken', 'converted', 'converted', 'filled', 'computed', 'dropped']],
])('%s decides on each column', (strategy, expected) => {
  const plan = planSchema(drifted, table, options(strategy, { renamedColumns: { old_name: 'name' } }));
  expect(plan.columns.map(({ fate }) => fate)).toEqual(expected);
  expect(plan.columns.map(({ archived: from, column: to }) => [from, to])).toEqual([
    ['id', 'id'],
    ['old_name', 'name'],
    ['code', 'code'],
    ['amount', 'amount'],
    [null, 'state'],
    [null, 'twice'],
    ['gone', null],
  ]);
});

test('a subset takes what was asked for, by archived names, and drops nothing', () => {
  const how = options('strict', { columns: ['id', 'old_name'], renamedColumns: { old_name: 'name' } });
  const target = [id, column('name', 'text'), column('state', 'text')];
  expect(fates(drifted, target, how)).toEqual([
    'id>id taken',
    'old_name>name taken',
    '->state filled',
    'gone>- unwanted',
    'code>- unwanted',
    'amount>- unwanted',
  ]);
  const missing = planSchema(drifted, [...target, column('must', 'text', { notNull: true })], how);
  expect(() => checkSchemaPlan(missing, 'k', how)).toThrow(/column must: not among the columns asked for/);
});

test('the names of columns may change places', () => {
  const swapped = schemaOf(archived('a', 'text'), archived('b', 'text'));
  const how = options('strict', { renamedColumns: { a: 'b', b: 'a' } });
  expect(fates(swapped, [column('a', 'text'), column('b', 'text')], how)).toEqual(['b>a taken', 'a>b taken']);
});

test('two archived columns do not go into one', () => {
  const both = schemaOf(archived('old', 'text'), archived('new', 'text'));
  const how = options('transform', { renamedColumns: { old: 'new' } });
  const plan = planSchema(both, [column('new', 'text')], how);
  expect(() => checkSchemaPlan(plan, 'k', how)).toThrow('both old and new go into it');
});

test('without a schema every column of the table is expected under its archived name', () => {
  const how = options('lenient', { renamedColumns: { old_name: 'name' }, columns: ['id', 'old_name'] });
  expect(fates(null, [id, column('name', 'text'), column('note', 'text')], how)).toEqual([
    'id>id taken',
    'old_name>name taken',
    '->note filled',
  ]);
});

test('what the metadata does not tell counts as equal', () => {
  const vague = schemaOf(archived('a', 'x', { dataType: 'USER-DEFINED', udtName: null }));
  expect(fates(vague, [column('a', 'hstore')], options('strict'))).toEqual(['a>a taken']);
});

test('a domain is compared by what it is over, as the archiver wrote it', () => {
  const short = schemaOf(
    archived('a', 'varchar', { dataType: 'character varying', characterMaximumLength: 3 }),
  );
  const domain = column('a', 'varchar', { typeName: 'shortcode', baseTypeName: 'character varying(3)' });
  expect(fates(short, [domain], options('strict'))).toEqual(['a>a taken']);
});

test('a domain over a domain is archived by the name of the inner one', () => {
  const outer = column('a', 'int4', { typeName: 'small_positive', innerDomain: 'positive' });
  const named = (udtName: string) => schemaOf(archived('a', udtName, { dataType: 'USER-DEFINED' }));
  expect(fates(named('positive'), [outer], options('strict'))).toEqual(['a>a taken']);
  expect(fates(named('negative'), [outer], options('strict'))).toEqual(['a>a refused']);
});

test('says what happens, a line for each column that is not simply taken', () => {
  const how = options('lenient', { renamedColumns: { old_name: 'name' } });
  const lines = describeSchemaPlan(planSchema(drifted, table, how));
  expect(lines).toEqual([
    'Column old_name (name in the table): renamed.',
    'Column code: archived as int4, and the table has text: converted.',
    'Column amount: archived as numeric(12,4), and the table has numeric(12,2): values may be rounded, cut off or moved to another time zone.',
    'Column state: the archive does not have it; its default is taken.',
    'Column gone: the table does not have it; its values are left out.',
  ]);
});

test('refuses with the columns and what to do', () => {
  const plan = planSchema(drifted, table, options('lenient'));
  expect(() => checkSchemaPlan(plan, 'some/key', options('lenient'))).toThrow(
    expect.objectContaining({
      code: 'SchemaIncompatible',
      message: expect.stringContaining('some/key: column amount: archived as numeric(12,4)'),
      hint: expect.stringContaining('transform'),
    }),
  );
});

test('columns that are named and not there are refused with those that are', () => {
  const columns = ['id', 'name'];
  const renamed = options('lenient', { renamedColumns: { old: 'nmae' } });
  expect(() => checkTargetNames('s.t', columns, renamed)).toThrow(
    expect.objectContaining({ code: 'InputInvalid', hint: expect.stringContaining('id, name') }),
  );
  const chosen = options('lenient', { columns: ['id', 'other'] });
  expect(() => checkTargetNames('s.t', columns, chosen)).toThrow('it has no column other');
  expect(() => checkArchivedNames('s.t', [schemaOf(archived('id', 'int8'))], chosen)).toThrow(
    'no archive has a column other',
  );
  expect(() => checkArchivedNames('s.t', [], chosen)).not.toThrow();
  checkTargetNames(
    's.t',
    columns,
    options('lenient', { columns: ['id', 'old'], renamedColumns: { old: 'name' } }),
  );
});

test.each<[string, string, TypeChange]>([
  ['int4', 'int8', 'exact'],
  ['int4', 'float4', 'lossy'],
  ['int4', 'float8', 'exact'],
  ['int8', 'int4', 'exact'],
  ['int8', 'numeric(10,2)', 'exact'],
  ['numeric', 'float8', 'lossy'],
  ['numeric', 'numeric(12,2)', 'lossy'],
  ['numeric(12,2)', 'numeric(10,2)', 'exact'],
  ['numeric(12,2)', 'numeric(12,4)', 'exact'],
  ['numeric(12,2)', 'numeric', 'exact'],
  ['varchar(20)', 'varchar(10)', 'exact'],
  ['text', 'varchar(10)', 'exact'],
  ['text', 'name', 'lossy'],
  ['text', 'date', 'lossy'],
  ['date', 'timestamp', 'exact'],
  ['timestamp', 'timestamptz', 'lossy'],
  ['timestamptz', 'date', 'lossy'],
  ['_int4', '_int8', 'exact'],
  ['_float8', '_float4', 'lossy'],
  ['_varchar', '_text', 'exact'],
  ['jsonb', 'text', 'exact'],
  ['bytea', 'text', 'exact'],
])('from %s to %s is %s', (from, to, change) => {
  expect(typeChange(declared(from), declared(to))).toBe(change);
});

function declared(text: string) {
  const [name = '', modifiers] = text.replace(')', '').split('(');
  return { name, modifiers: modifiers === undefined ? [] : modifiers.split(',').map(Number) };
}
