import { expect, test } from 'vitest';
import type { ArchivedSchema } from '../../src/archive/metadata.ts';
import type { SchemaStrategy } from '../../src/contract/restore-request.ts';
import type { TargetColumn } from '../../src/postgres/catalog.ts';
import { checkMigration, describeMigration, planMigration } from '../../src/restore/schema-migration.ts';
import type { SchemaOptions } from '../../src/restore/schema-plan.ts';

function schemaOf(types: Readonly<Record<string, string>>): ArchivedSchema {
  const columns = Object.entries(types).map(([name, udtName], place) => ({
    name,
    dataType: udtName,
    udtName,
    characterMaximumLength: null,
    numericPrecision: null,
    numericScale: null,
    nullable: true,
    default: null,
    ordinal: place + 1,
  }));
  return { columns, primaryKey: null, foreignKeys: [], indexes: [], checks: [], uniques: [] };
}

function table(types: Readonly<Record<string, string>>): TargetColumn[] {
  return Object.entries(types).map(([name, typname]) => ({
    name,
    type: { kind: 'scalar', name: typname },
    typeName: typname,
    baseTypeName: typname,
    innerDomain: null,
    notNull: false,
    hasDefault: false,
    generated: null,
    identity: null,
  }));
}

function options(schemaStrategy: SchemaStrategy, more: Partial<SchemaOptions> = {}): SchemaOptions {
  return { schemaStrategy, columns: null, renamedColumns: {}, ...more };
}

const used = [
  { key: 'a', schema: schemaOf({ id: 'int4', gone: 'text' }) },
  { key: 'b', schema: schemaOf({ id: 'int8', gone: 'text' }) },
  { key: 'c', schema: schemaOf({ id: 'int8', gone: 'text', added: 'text' }) },
  { key: 'd', schema: schemaOf({ id: 'int4', added: 'text' }) },
];
const target = table({ id: 'int8', added: 'text' });

test('says what differs once, and of which archives', () => {
  const plans = planMigration('s.t', { used, untold: false }, target, options('lenient'));
  expect(describeMigration(plans)).toEqual([
    'Column id: archived as int4, and the table has int8: converted (archives before b).',
    'Column added: the archive does not have it; it becomes NULL (archives before c).',
    'Column gone: the table does not have it; its values are left out (archives before d).',
    'Column id: archived as int4, and the table has int8: converted (archives from d on).',
  ]);
  const one = planMigration('s.t', { used: used.slice(0, 1), untold: false }, target, options('lenient'));
  expect(describeMigration(one)).toEqual([
    'Column id: archived as int4, and the table has int8: converted.',
    'Column added: the archive does not have it; it becomes NULL.',
    'Column gone: the table does not have it; its values are left out.',
  ]);
});

test('counts what would make the description too long', () => {
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, place) => [`gone_${place}`, 'text']));
  const wide = [{ key: 'a', schema: schemaOf({ id: 'int8', ...many }) }];
  const lines = describeMigration(
    planMigration('s.t', { used: wide, untold: false }, target, options('lenient')),
  );
  expect(lines).toHaveLength(13);
  expect(lines.at(-1)).toBe('9 more differences of columns.');
});

test('strict and none refuse them all for one that differs, others do not', () => {
  const refuse = (schemaStrategy: SchemaStrategy, schemas: typeof used) => () => {
    const how = options(schemaStrategy);
    checkMigration(planMigration('s.t', { used: schemas, untold: false }, target, how), how);
  };
  const same = { key: 'same', schema: schemaOf({ id: 'int8', added: 'text' }) };
  for (const strategy of ['strict', 'none'] as const) {
    expect(refuse(strategy, [same])).not.toThrow();
    expect(refuse(strategy, [same, ...used])).toThrow(
      expect.objectContaining({
        code: 'SchemaIncompatible',
        message: expect.stringMatching(/^a: column id: archived/),
      }),
    );
  }
  for (const strategy of ['lenient', 'transform'] as const) expect(refuse(strategy, used)).not.toThrow();
});

test('a name that no archive has is refused, unless records may have it', () => {
  const how = options('lenient', { renamedColumns: { old: 'added' } });
  const plan = (untold: boolean) => () => planMigration('s.t', { used, untold }, target, how);
  expect(plan(false)).toThrow(
    expect.objectContaining({ code: 'InputInvalid', message: 's.t: no archive has a column old.' }),
  );
  expect(plan(true)).not.toThrow();
});
