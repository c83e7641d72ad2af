import type pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import { type BundleScope, type MadeModel, readMade, recordMade } from '../postgres/bundle-ledger.ts';
import {
  addColumns,
  addForeignKey,
  createModel,
  createNamespace,
  isPattern,
  lockModels,
  type NewColumn,
  readModels,
  readReferringColumns,
  tryOut,
} from '../postgres/models.ts';
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
    const makeKeys = async () => {
      const referring = await readReferringColumns(client, options.namespace);
      for (const { model, fields } of made.slice(from, from + batchSize)) {
        const described = byName.get(model)?.fields.filter(({ name }) => fields.includes(name)) ?? [];
        const missing = described.filter(({ name }) => referring.get(model)?.has(name) !== true);
        await makeForeignKeys(client, options.namespace, model, missing, warnings);
      }
    };
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
  const present = await readModels(client, namespace);
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
  await lockModels(client, namespace);
  const present = await readModels(client, namespace);
  if (present === null && createModels) await createNamespace(client, namespace);
  const made: MadeModel[] = [];
  for (const model of models) {
    const columns = present?.get(model.name);
    if (columns === undefined && !createModels) throw noSuchModel(model.name);
    const fields = missingFields(model, columns);
    if (columns !== undefined && fields.length === 0) continue;
    if (columns !== undefined && held?.has(model.name) === false) throw changedMeanwhile(model.name);
    await makeModel(client, namespace, { ...model, fields }, columns === undefined, warnings);
    made.push({
      model: model.name,
      created: columns === undefined,
      fields: fields.map(({ name }) => name),
    });
  }
  await recordMade(client, options, made, options.withData);
}

/** @param isNew the table is not there: its system columns are made, too */
async function makeModel(
  client: pg.Client,
  namespace: string,
  model: DescribedModel,
  isNew: boolean,
  warnings: DescribeWarning[],
): Promise<void> {
  const columns: NewColumn[] = [];
  for (const field of model.fields) {
    const pattern = await patternOf(client, model.name, field, warnings);
    columns.push(columnOf(field, pattern, `${model.name}.${field.name}`));
  }
  try {
    if (!isNew) return await addColumns(client, namespace, model.name, columns);
    const system = systemColumns.map(({ name, definition }) => ({
      name,
      definition,
      index: false,
      comment: null,
    }));
    const comment = model.description === null ? null : noNul(model.description, model.name);
    await createModel(client, namespace, model.name, [...system, ...columns], comment);
  } catch (raw) {
    throw refusal(raw, `${namespace}.${model.name}`, model.name);
  }
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

async function patternOf(
  client: pg.Client,
  model: string,
  { name, type, pattern }: DescribedField,
  warnings: DescribeWarning[],
): Promise<string | null> {
  if (pattern === null) return null;
  if (type === 'text' && (await isPattern(client, noNul(pattern, `${model}.${name}`)))) return pattern;
  warnings.push({ model, message: `Field ${name}: PostgreSQL cannot check its pattern` });
  return null;
}

async function makeForeignKeys(
  client: pg.Client,
  namespace: string,
  model: string,
  fields: readonly DescribedField[],
  warnings: DescribeWarning[],
): Promise<void> {
  for (const { name, relationship } of fields) {
    if (relationship === null) continue;
    const { model: parent, field: parentColumn, cascadeDelete: cascade } = relationship;
    const isMade = await tryOut(
      client,
      () => addForeignKey(client, namespace, model, { column: name, parent, parentColumn, cascade }),
      impossibleKeys,
    );
    if (isMade) continue;
    const message = `Field ${name}: no foreign key, as ${parent}.${parentColumn} is not there, not unique, or of another type`;
    warnings.push({ model, message });
  }
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
