import pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import { type BundleScope, type MadeModel, readMade, recordMade } from '../postgres/bundle-ledger.ts';
import { recordMadeSchema, recordMadeTables } from '../postgres/made-objects.ts';
import {
  addColumns,
  addForeignKey,
  createModel,
  createNamespace,
  lockModels,
  type NewForeignKey,
  readModels,
  readPatterns,
  readReferringColumns,
} from '../postgres/models.ts';
import { runMany } from '../postgres/run-many.ts';
import { databaseError, isSqlState, sqlState } from '../postgres/sqlstate.ts';
import { withLockTimeout } from '../postgres/transaction.ts';
import { badBundle } from './bundle-error.ts';
import { columnOf, noNul } from './column-sql.ts';
import { type DescribedField, type DescribedModel, systemColumns } from './describe.ts';

/** How models are made. */
export interface DescribeOptions extends BundleScope {
  /** Whether models that are not there may be made. */
  readonly createModels: boolean;
  /** Whether the restore is to bring their records, too. */
  readonly withData: boolean;
  /** Writes down exactly what is made, so that it can be undone. */
  readonly undoable: boolean;
  /** Models whose tables are taken, so that fields may be added to them; null: any may be, as it is rolled back. */
  readonly held: ReadonlySet<string> | null;
  /** Does something in a transaction of its own, or within the one that is open. */
  transact<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Called after each batch: how many models are looked at by then. */
  onProgress(models: number): void;
}

/** A part of the description that has no counterpart in PostgreSQL, and was passed over. */
export interface DescribeWarning {
  readonly model: string;
  readonly message: string;
}

/** Models in one transaction: each table with its indexes takes some of the locks that PostgreSQL has room for. */
const batchSize = 100;

/** Answers to a foreign key that cannot be: no such table or column, no unique index on it, other types. */
const impossibleKeys = [sqlState.undefinedTable, sqlState.undefinedColumn, '42830', '42804'];

/**
 * Makes what a description has and the schema lacks: models as tables with their system columns, fields as
 * columns with their rules, relationships as foreign keys. What is there stays as it is. What was made is
 * recorded in the transaction that makes it; see `readMade`.
 *
 * @throws ThawError `ConflictFound` for a model that is not there and must not be made, `InputInvalid` for
 *   what no table can have, `SerializationFailure` where a table that is not taken has come to lack fields, and the
 *   errors of the database
 */
export async function importDescribe(
  client: pg.Client,
  models: readonly DescribedModel[],
  options: DescribeOptions,
): Promise<DescribeWarning[]> {
  const warnings: DescribeWarning[] = [];
  for (let from = 0; from < models.length; from += batchSize) {
    const batch = models.slice(from, from + batchSize);
    await options.transact(() => withLockTimeout(client, () => makeModels(client, batch, options, warnings)));
    options.onProgress(from + batch.length);
  }
  const byName = new Map(models.map((model) => [model.name, model]));
  const made = (await readMade(client, options)).filter(({ fields }) => fields.length > 0);
  for (let from = 0; from < made.length; from += batchSize) {
    const batch = made.slice(from, from + batchSize);
    const makeKeys = () => makeForeignKeys(client, options, batch, byName, warnings);
    await options.transact(() => withLockTimeout(client, makeKeys));
  }
  return warnings;
}

/** The models whose tables are there and lack fields, so that the description alters them. */
export async function findAltered(
  client: pg.Client,
  namespace: string,
  models: readonly DescribedModel[],
): Promise<string[]> {
  const names = models.map(({ name }) => name);
  const present = await readModels(client, namespace, names);
  const altered = models.filter((model) => {
    const columns = present?.get(model.name);
    return columns !== undefined && missingFields(model, columns).length > 0;
  });
  return altered.map(({ name }) => name);
}

function missingFields({ fields }: DescribedModel, columns?: ReadonlySet<string>): DescribedField[] {
  return fields.filter(({ name }) => columns?.has(name) !== true);
}

async function makeModels(
  client: pg.Client,
  models: readonly DescribedModel[],
  options: DescribeOptions,
  warnings: DescribeWarning[],
): Promise<void> {
  const { namespace, createModels, held } = options;
  const names = models.map(({ name }) => name);
  await lockModels(client, namespace);
  const present = await readModels(client, namespace, names);
  if (present === null && createModels) {
    await createNamespace(client, namespace);
    if (options.undoable) await recordMadeSchema(client, options);
  }
  const drafts: ModelDraft[] = [];
  for (const model of models) {
    const columns = present?.get(model.name);
    if (columns === undefined && !createModels) throw noSuchModel(model.name);
    const fields = missingFields(model, columns);
    if (columns !== undefined && fields.length === 0) continue;
    if (columns !== undefined && held?.has(model.name) === false) throw changedMeanwhile(model.name);
    drafts.push({ ...model, fields, isNew: columns === undefined });
  }
  const patterns = await patternsOf(client, drafts);
  const make = (some: readonly ModelDraft[]) => makeDrafts(client, namespace, some, patterns, warnings);
  await make(drafts.filter(({ isNew }) => isNew));
  // Others may be at work on those that are there: each is named that cannot be had.
  for (const draft of drafts) if (!draft.isNew) await make([draft]);
  const made = drafts.map(
    ({ name, isNew, fields }): MadeModel => ({
      model: name,
      created: isNew,
      fields: fields.map((field) => field.name),
    }),
  );
  await recordMade(client, options, made, options.withData);
  if (!options.undoable) return;
  await recordMadeTables(
    client,
    options,
    made.map(({ model, created, fields }) => ({ table: model, columns: created ? null : fields })),
  );
}

/** A model with the fields that it lacks. */
interface ModelDraft extends DescribedModel {
  /** The table is not there: its system columns are made, too. */
  readonly isNew: boolean;
}

async function makeDrafts(
  client: pg.Client,
  namespace: string,
  drafts: readonly ModelDraft[],
  patterns: ReadonlySet<string>,
  warnings: DescribeWarning[],
): Promise<void> {
  const names = drafts.map(({ name }) => name);
  const object = names
    .slice(0, 5)
    .map((name) => `${namespace}.${name}`)
    .join(', ');
  const statements = drafts.map((draft) => statementsOf(namespace, draft, patterns, warnings));
  const refused = (place: number, error: unknown) => {
    const name = names[place] ?? '';
    throw refusal(error, `${namespace}.${name}`, name);
  };
  try {
    await runMany(client, statements, { isOwn: isAboutDescription, refused });
  } catch (raw) {
    throw databaseError(raw, { object });
  }
}

function statementsOf(
  namespace: string,
  model: ModelDraft,
  patterns: ReadonlySet<string>,
  warnings: DescribeWarning[],
): string {
  const columns = model.fields.map((field) => {
    const pattern = patternOf(model.name, field, patterns, warnings);
    return columnOf(field, pattern, `${model.name}.${field.name}`);
  });
  if (!model.isNew) return addColumns(namespace, model.name, columns);
  const system = systemColumns.map(({ name, definition }) => ({
    name,
    definition,
    index: false,
    comment: null,
  }));
  const comment = model.description === null ? null : noNul(model.description, model.name);
  return createModel(namespace, model.name, [...system, ...columns], comment);
}

/** Those of others, of locks for instance, would be the same for each model by itself. */
function isAboutDescription(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(22|23|42|54|0A)/.test(error.code ?? '');
}

/** What PostgreSQL says of a table that it does not make, in words of the description. */
function refusal(raw: unknown, object: string, model: string): unknown {
  const error = databaseError(raw, { object });
  if (isSqlState(error, sqlState.notNullViolation)) {
    return new ThawError(
      'SchemaIncompatible',
      `${object}: a field that is required and has no default cannot be added, as there are records.`,
      { object, hint: 'Give the field a default in describe.yaml, or let it be not required.' },
    );
  }
  if (error instanceof ThawError && error.sqlstate?.startsWith('22')) {
    return badBundle(
      `describe.yaml: ${model}: a default, minimum or maximum is no value of its field's type`,
    );
  }
  return error;
}

/** The patterns that PostgreSQL can check. */
async function patternsOf(
  client: pg.Client,
  models: readonly DescribedModel[],
): Promise<ReadonlySet<string>> {
  const patterns = models.flatMap(({ name: model, fields }) =>
    fields.flatMap(({ name, type, pattern }) =>
      pattern === null || type !== 'text' ? [] : [noNul(pattern, `${model}.${name}`)],
    ),
  );
  return readPatterns(client, patterns);
}

function patternOf(
  model: string,
  { name, type, pattern }: DescribedField,
  patterns: ReadonlySet<string>,
  warnings: DescribeWarning[],
): string | null {
  if (pattern === null) return null;
  if (type === 'text' && patterns.has(pattern)) return pattern;
  warnings.push({ model, message: `Field ${name}: PostgreSQL cannot check its pattern` });
  return null;
}

/** Makes those of fields that were made and have none: an earlier attempt may have made some. */
async function makeForeignKeys(
  client: pg.Client,
  options: DescribeOptions,
  made: readonly MadeModel[],
  described: ReadonlyMap<string, DescribedModel>,
  warnings: DescribeWarning[],
): Promise<void> {
  const { namespace } = options;
  const tables = made.map(({ model }) => model);
  const referring = await readReferringColumns(client, namespace, tables);
  const keys = made.flatMap(({ model, fields }) =>
    (described.get(model)?.fields ?? []).flatMap(({ name, relationship }): NewForeignKey[] => {
      if (relationship === null || !fields.includes(name) || referring.get(model)?.has(name)) return [];
      const { model: parent, field: parentColumn, cascadeDelete: cascade } = relationship;
      return [{ table: model, column: name, parent, parentColumn, cascade }];
    }),
  );
  const statements = keys.map((key) => addForeignKey(namespace, key));
  await runMany(client, statements, {
    isOwn: (error) => isSqlState(error, ...impossibleKeys),
    refused: (place) => {
      const key = keys[place];
      if (key === undefined) return;
      const message = `Field ${key.column}: no foreign key, as ${key.parent}.${key.parentColumn} is not there, not unique, or of another type`;
      warnings.push({ model: key.table, message });
    },
  });
  if (!options.undoable) return;
  await recordMadeTables(
    client,
    options,
    tables.flatMap((table) => {
      const columns = keys.filter((key) => key.table === table).map(({ column }) => column);
      return columns.length === 0 ? [] : [{ table, columns }];
    }),
  );
}

/** Another restore may fill it: the next attempt takes it, or is told who holds it. */
function changedMeanwhile(model: string): ThawError {
  return new ThawError('SerializationFailure', `${model}: the table was made or changed meanwhile.`, {
    object: model,
  });
}

function noSuchModel(model: string): ThawError {
  return new ThawError('ConflictFound', `Model ${model} does not exist, and none may be created.`, {
    object: model,
    hint: 'Set create_models to true, or leave the model out with models.',
  });
}
