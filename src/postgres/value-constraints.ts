import type pg from 'pg';
import type { TargetTable } from './catalog.ts';
import { quoteIdentifier } from './identifier.ts';
import type { Stage } from './stage.ts';

/** A check constraint of a table. */
export interface CheckConstraint {
  readonly name: string;
  /** `CHECK (…)` */
  readonly definition: string;
  /** Of which it speaks. */
  readonly columns: readonly string[];
}

/** The check constraints of a table, but for those that speak of rows as a whole. */
export async function readChecks(
  client: pg.Client,
  { oid }: TargetTable,
): Promise<readonly CheckConstraint[]> {
  const { rows } = await client.query<CheckConstraint>(
    `select c.conname::text as name, pg_get_constraintdef(c.oid) as definition,
       coalesce(array_agg(a.attname::text) filter (where a.attnum is not null), '{}') as columns
     from pg_constraint c
     left join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey) and a.attnum > 0
     where c.conrelid = $1 and c.contype = 'c'
     group by c.oid
     having count(a.attnum) = coalesce(cardinality(c.conkey), 0)
     order by c.conname`,
    [oid],
  );
  return rows;
}

/** Has a stage refuse the values that its table would refuse: by NOT NULL, and by the checks that it has all columns of. */
export async function addChecks(
  client: pg.Client,
  stage: Stage,
  checks: readonly CheckConstraint[],
): Promise<void> {
  const names = new Set(stage.columns.map(({ name }) => name));
  const actions = [
    ...stage.columns
      .filter(({ notNull }) => notNull)
      .map(({ name }) => `alter column ${quoteIdentifier(name)} set not null`),
    ...checks
      .filter(({ columns }) => columns.every((name) => names.has(name)))
      .map(({ name, definition }) => `add constraint ${quoteIdentifier(name)} ${definition}`),
  ];
  if (actions.length > 0) await client.query(`alter table ${stage.table} ${actions.join(', ')}`);
}
