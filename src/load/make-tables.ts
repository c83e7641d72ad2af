import type pg from 'pg';
import type { ArchivedForeignKey } from '../archive/metadata.ts';
import type { RestoreOptions, RestoreRequest, TableRequest } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { addForeignKey, createTable, missingTables } from '../postgres/create-table.ts';
import { lockTableCreation, recordCreated } from '../postgres/created-tables.ts';
import type { TableName } from '../postgres/foreign-keys.ts';
import { inTransaction, lockTimeout } from '../postgres/transaction.ts';
import { blueprintOf, type TableBlueprint } from '../restore/table-blueprint.ts';
import { findSchemas, schemaScope } from './archived-schemas.ts';
import type { ThawContext } from './thaw-context.ts';

/** What tables are made for. */
export type MakingRequest = Pick<RestoreRequest, 'restoreId' | 'database' | 'keys' | 'options'>;

/** A table that is to be made, by its archived schema. */
export interface Draft extends TableName {
  readonly request: TableRequest;
  /** Of the archive that holds the schema. */
  readonly key: string;
  readonly blueprint: TableBlueprint;
}

/**
 * Makes those of some tables that are not there, from the newest of their archived schemas, all in one
 * transaction; then foreign keys find each other whatever the order.
 *
 * @param all tables of the restore: a foreign key to one of them goes where that one goes
 * @returns why tables could not be made
 * @throws ThawError of the moment
 */
export async function makeTables(
  thaw: ThawContext,
  client: pg.Client,
  request: MakingRequest,
  tables: readonly TableRequest[],
  all: readonly TableRequest[],
  signal: AbortSignal,
): Promise<ReadonlyMap<TableRequest, ThawError>> {
  const failures = new Map<TableRequest, ThawError>();
  const drafts: Draft[] = [];
  for (const place of await missingTables(client, tables.map(placeOf))) {
    const draft = await draftOf(thaw, request, place, signal);
    if (draft === null) failures.set(place.request, untold(place));
    else drafts.push(draft);
  }
  if (drafts.length === 0) return failures;
  await inTransaction(client, async () => {
    await client.query(`set local lock_timeout = '${lockTimeout}'`);
    await lockTableCreation(client);
    const made: { readonly draft: Draft; readonly leftOut: string[] }[] = [];
    for (const draft of await missingTables(client, drafts)) {
      const done = await tryMake(client, request, draft);
      if (done instanceof ThawError) failures.set(draft.request, done);
      else made.push({ draft, leftOut: [...draft.blueprint.leftOut, ...done] });
    }
    for (const { draft, leftOut } of made) {
      for (const key of draft.blueprint.foreignKeys) {
        const reason = await tryForeignKey(client, request, draft, key, all);
        if (reason !== null) leftOut.push(reason);
      }
      await recordCreated(client, request.restoreId, draft, { key: draft.key, leftOut });
    }
  });
  return failures;
}

/** Reads the schema by which a table is made: the newest one; null where no archive holds one. */
export async function draftOf(
  thaw: ThawContext,
  request: MakingRequest,
  place: TableName & { readonly request: TableRequest },
  signal: AbortSignal,
): Promise<Draft | null> {
  const scope = schemaScope(thaw.config.store.prefix, request, place.request, signal);
  const { marks } = await findSchemas(thaw.store, scope, async (archives) => archives);
  const mark = marks.at(-1);
  return mark === undefined ? null : { ...place, key: mark.key, blueprint: blueprintOf(mark.schema) };
}

/**
 * Makes a table in the transaction at hand, without its foreign keys.
 *
 * @returns what was left out, and why
 */
export async function makeTable(
  client: pg.Client,
  options: Pick<RestoreOptions, 'renamedColumns'>,
  { blueprint, request }: Draft,
  place: TableName,
): Promise<string[]> {
  const renamedColumns = Object.fromEntries(
    blueprint.columns.flatMap(({ name }) => {
      const renamed = renamedOf(name, options.renamedColumns);
      return renamed === name ? [] : [[name, renamed]];
    }),
  );
  return createTable(client, place, { ...blueprint, renamedColumns }, request.schema);
}

/** Leaves nothing behind where it fails, so that other tables can still be made. */
async function tryMake(
  client: pg.Client,
  { options }: MakingRequest,
  draft: Draft,
): Promise<readonly string[] | ThawError> {
  await client.query('savepoint made');
  try {
    const leftOut = await makeTable(client, options, draft, draft);
    await client.query('release savepoint made');
    return leftOut;
  } catch (error) {
    if (!(error instanceof ThawError) || error.retryable) throw error;
    await client.query('rollback to savepoint made');
    return error;
  }
}

async function tryForeignKey(
  client: pg.Client,
  { options }: MakingRequest,
  draft: Draft,
  key: ArchivedForeignKey,
  all: readonly TableRequest[],
): Promise<string | null> {
  const target = all.find(
    ({ table, schema }) => table === key.referencedTable && schema === key.referencedSchema,
  );
  const parent =
    target === undefined ? { schema: key.referencedSchema, table: key.referencedTable } : placeOf(target);
  const renamed = (name: string) => renamedOf(name, options.renamedColumns);
  const [missing] = await missingTables(client, [parent]);
  if (missing !== undefined) {
    return `Foreign key ${key.name ?? key.columns.join(', ')} is left out: there is no table ${parent.schema}.${parent.table}.`;
  }
  return addForeignKey(client, draft, {
    name: key.name,
    columns: key.columns.map(renamed),
    parent,
    parentColumns: target === undefined ? key.referencedColumns : key.referencedColumns.map(renamed),
  });
}

function renamedOf(name: string, renamed: Readonly<Record<string, string>>): string {
  return Object.hasOwn(renamed, name) ? (renamed[name] ?? name) : name;
}

/** Where a table goes. */
export function placeOf(request: TableRequest): TableName & { readonly request: TableRequest } {
  return { schema: request.intoSchema, table: request.intoTable, request };
}

function untold({ schema, table }: TableName): ThawError {
  const object = `${schema}.${table}`;
  return new ThawError(
    'TargetMissing',
    `${object}: there is no such table, and no archive holds its schema.`,
    {
      object,
      hint: 'Create the table first: the archiver writes a schema with the first batch of a run only, and none was found.',
    },
  );
}
