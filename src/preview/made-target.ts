import type pg from 'pg';
import type { RestoreRequest, TableRequest } from '../contract/restore-request.ts';
import { draftOf, makeTable, placeOf } from '../load/make-tables.ts';
import type { ThawContext } from '../load/thaw-context.ts';
import { readTarget, type TargetTable } from '../postgres/catalog.ts';
import { inTransaction } from '../postgres/transaction.ts';
import type { RehearsedOutcome } from './rehearse-table.ts';

/** A table that a restore would make, made as a temporary one. */
export interface MadeTarget {
  readonly target: TargetTable;
  readonly notices: readonly string[];
}

/**
 * Makes a table that is not there as a temporary one, from its archived schema.
 *
 * @param client whose session it ends with
 * @returns null where that is not possible: no archive holds its schema, or another one of that name was made
 * @throws ThawError why the restore could not make it
 */
export async function makeTemporaryTarget(
  client: pg.Client,
  thaw: ThawContext,
  request: RestoreRequest,
  table: TableRequest,
  signal: AbortSignal,
): Promise<MadeTarget | null> {
  const draft = await draftOf(thaw, request, placeOf(table), signal);
  const { intoSchema, intoTable } = table;
  if (draft === null || (await isMade(client, intoTable))) return null;
  const made = await inTransaction(client, async () => {
    // So that the schema of temporary tables is there.
    await client.query('create temp table if not exists thaw_first ()');
    const { rows } = await client.query<{ schema: string }>(
      `select pg_my_temp_schema()::regnamespace::text as schema,
         set_config('search_path', quote_ident($1) || ', ' || current_setting('search_path'), true)`,
      [intoSchema],
    );
    const schema = rows[0]?.schema ?? '';
    return { schema, leftOut: await makeTable(client, request.options, draft, { schema, table: intoTable }) };
  });
  return {
    target: await readTarget(client, made.schema, intoTable),
    notices: [
      `${intoSchema}.${intoTable} is not there and would be made from the schema in ${draft.key}.`,
      ...made.leftOut,
    ],
  };
}

async function isMade(client: pg.Client, table: string): Promise<boolean> {
  const { rows } = await client.query<{ made: boolean }>(
    'select exists (select from pg_class where relnamespace = pg_my_temp_schema() and relname = $1) as made',
    [table],
  );
  return rows[0]?.made ?? false;
}

/** What came of a table that was made as a temporary one, by the name that the restore would give it. */
export function asIfMade(
  outcome: RehearsedOutcome,
  { schema }: TargetTable,
  { intoSchema, intoTable }: TableRequest,
): RehearsedOutcome {
  const told = JSON.stringify({ ...outcome, unforeseen: [...outcome.unforeseen, unchecked] });
  return JSON.parse(told.replaceAll(`${schema}.${intoTable}`, `${intoSchema}.${intoTable}`));
}

const unchecked = 'Foreign keys of a table that would be made are not looked at.';
