import type pg from 'pg';
import type { BundleTally } from '../contract/bundle-activities.ts';
import { qualifiedName } from './identifier.ts';

/** A restore of a bundle, and the schema that it goes into. */
export interface BundleScope {
  readonly restoreId: string;
  /** The schema that the models lie in. */
  readonly namespace: string;
}

/** What a restore made of a model. */
export interface MadeModel {
  readonly model: string;
  /** False where only fields were added. */
  readonly created: boolean;
  /** Names of the fields that were made, in their order. */
  readonly fields: readonly string[];
}

/**
 * Writes what was made of models, in the transaction that makes them.
 *
 * @param withData whether the restore is to bring records, too
 */
export async function recordMade(
  client: pg.Client,
  scope: BundleScope,
  made: readonly MadeModel[],
  withData: boolean,
): Promise<void> {
  await client.query(
    `insert into thaw.bundle_models as own (restore_id, schema_name, model, created, fields, with_data)
     select $1, $2, made.model, made.created, made.fields, $4
     from jsonb_to_recordset($3) as made (model text, created boolean, fields text[])
     on conflict (restore_id, schema_name, model) do update set fields = own.fields || excluded.fields`,
    [scope.restoreId, scope.namespace, JSON.stringify(made), withData],
  );
}

/** Everything that a restore has made so far, by the names of the models. */
export async function readMade(client: pg.Client, scope: BundleScope): Promise<MadeModel[]> {
  const { rows } = await client.query<MadeModel>(
    `select model, created, fields from thaw.bundle_models
     where restore_id = $1 and schema_name = $2 order by model`,
    [scope.restoreId, scope.namespace],
  );
  return rows;
}

/** Which of some models a restore has made. */
export async function readCreated(
  client: pg.Client,
  scope: BundleScope,
  models: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ model: string }>(
    `select model from thaw.bundle_models
     where restore_id = $1 and schema_name = $2 and model = any($3) and created`,
    [scope.restoreId, scope.namespace, models],
  );
  return new Set(rows.map(({ model }) => model));
}

/** A file of a bundle and the table that it goes into. */
export interface BundleFile {
  readonly model: string;
  /** `pg_class.oid` */
  readonly oid: number;
}

/** What became of the records of a file. */
export interface ModelCounts {
  readonly inserted: number;
  readonly updated: number;
  readonly skipped: number;
  /** Of the model, before. */
  readonly deleted: number;
}

/** A file that a restore has decided. */
export interface DecidedFile extends ModelCounts {
  readonly model: string;
  /** `skipped`: its strategy leaves out what is of models that were there; `same`: an earlier restore brought the file. */
  readonly state: 'restored' | 'skipped' | 'same';
  /** Lower-case hex; null where it was not told and not read. */
  readonly sha256: string | null;
}

/**
 * Claims files in the loading transaction.
 *
 * @returns the models of those that are this transaction's; an earlier attempt has decided the others
 */
export async function claimFiles(
  client: pg.Client,
  scope: BundleScope,
  files: readonly BundleFile[],
): Promise<Set<string>> {
  const { rows } = await client.query<{ model: string }>(
    `insert into thaw.bundle_files (restore_id, schema_name, model, target_oid, state)
     select $1, $2, model, oid, 'claimed' from unnest($3::text[], $4::oid[]) as wanted (model, oid)
     on conflict (restore_id, schema_name, model) do nothing
     returning model`,
    [scope.restoreId, scope.namespace, files.map(({ model }) => model), files.map(({ oid }) => oid)],
  );
  return new Set(rows.map(({ model }) => model));
}

/** Writes what became of files, claimed in this transaction. */
export async function settleFiles(
  client: pg.Client,
  scope: BundleScope,
  files: readonly DecidedFile[],
): Promise<void> {
  await client.query(
    `update thaw.bundle_files as own
     set state = file.state, sha256 = file.sha256, inserted = file.inserted, updated = file.updated,
       skipped = file.skipped, deleted = file.deleted, finished_at = clock_timestamp()
     from jsonb_to_recordset($3) as file
       (model text, state text, sha256 text, inserted bigint, updated bigint, skipped bigint, deleted bigint)
     where restore_id = $1 and schema_name = $2 and own.model = file.model`,
    [scope.restoreId, scope.namespace, JSON.stringify(files)],
  );
}

/**
 * What a restore has decided of the files of its bundle, by the names of the models.
 *
 * @param models only of these; null: of all
 */
export async function readDecidedFiles(
  client: pg.Client,
  scope: BundleScope,
  models: readonly string[] | null = null,
): Promise<DecidedFile[]> {
  const { rows } = await client.query<DecidedFile>(
    `select model, state, sha256, inserted, updated, skipped, deleted
     from thaw.bundle_files
     where restore_id = $1 and schema_name = $2 and ($3::text[] is null or model = any($3)) and state <> 'claimed'
     order by model`,
    [scope.restoreId, scope.namespace, models],
  );
  return rows;
}

/** Has the files of a restore count as restored no more. */
export async function forgetFiles(client: pg.Client, restoreId: string): Promise<void> {
  await client.query(
    "update thaw.bundle_files set state = 'undone' where restore_id = $1 and state = 'restored'",
    [restoreId],
  );
}

/** Adds up what a restore has decided of the files of its bundle. */
export async function sumDecidedFiles(client: pg.Client, scope: BundleScope): Promise<BundleTally> {
  const { rows } = await client.query<BundleTally>(
    `select count(*) as files, ${['inserted', 'updated', 'skipped', 'deleted']
      .map((count) => `coalesce(sum(${count}), 0)::bigint as ${count}`)
      .join(', ')}
     from thaw.bundle_files where restore_id = $1 and schema_name = $2 and state <> 'claimed'`,
    [scope.restoreId, scope.namespace],
  );
  const [sum] = rows;
  if (sum === undefined) throw new TypeError('A sum is one row.');
  return sum;
}

/** The models of files that were ever restored into the same tables with the same SHA-256. */
export async function readRestored(
  client: pg.Client,
  files: readonly (BundleFile & { readonly sha256: string })[],
): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ model: string }>(
    `select model from unnest($1::text[], $2::oid[], $3::text[]) as file (model, oid, sha256)
     where exists (
       select from thaw.bundle_files as known
       where known.target_oid = file.oid and known.sha256 = file.sha256 and known.state = 'restored')`,
    [files.map(({ model }) => model), files.map(({ oid }) => oid), files.map(({ sha256 }) => sha256)],
  );
  return new Set(rows.map(({ model }) => model));
}

/**
 * The models that were made by a restore that did not come as far as their records, and have had none since: they
 * are as new as when they were made.
 */
export async function readUnfilled(
  client: pg.Client,
  { namespace }: Pick<BundleScope, 'namespace'>,
  files: readonly BundleFile[],
): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ model: string }>(
    `select file.model from unnest($2::text[], $3::oid[]) as file (model, oid)
     where exists (
         select from thaw.bundle_models as made
         where made.schema_name = $1 and made.model = file.model and made.created and made.with_data)
       and not exists (select from thaw.bundle_files where target_oid = file.oid and state = 'restored')`,
    [namespace, files.map(({ model }) => model), files.map(({ oid }) => oid)],
  );
  const unfilled = new Set<string>();
  for (const { model } of rows) {
    const { rowCount } = await client.query(`select from ${qualifiedName(namespace, model)} limit 1`);
    if (rowCount === 0) unfilled.add(model);
  }
  return unfilled;
}
