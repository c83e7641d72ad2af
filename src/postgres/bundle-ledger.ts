import type pg from 'pg';
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

/** Writes what became of a file, claimed in this transaction. */
export async function settleFile(client: pg.Client, scope: BundleScope, file: DecidedFile): Promise<void> {
  await client.query(
    `update thaw.bundle_files
     set state = $4, sha256 = $5, inserted = $6, updated = $7, skipped = $8, deleted = $9, finished_at = clock_timestamp()
     where restore_id = $1 and schema_name = $2 and model = $3`,
    [
      scope.restoreId,
      scope.namespace,
      file.model,
      file.state,
      file.sha256,
      file.inserted,
      file.updated,
      file.skipped,
      file.deleted,
    ],
  );
}

/** Everything that a restore has decided of the files of its bundle, by the names of the models. */
export async function readDecidedFiles(client: pg.Client, scope: BundleScope): Promise<DecidedFile[]> {
  const { rows } = await client.query<DecidedFile>(
    `select model, state, sha256, inserted, updated, skipped, deleted
     from thaw.bundle_files
     where restore_id = $1 and schema_name = $2 and state <> 'claimed' order by model`,
    [scope.restoreId, scope.namespace],
  );
  return rows;
}

/** Tells whether a file of this SHA-256 was ever restored into a table. */
export async function wasRestored(client: pg.Client, oid: number, sha256: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `select from thaw.bundle_files where target_oid = $1 and sha256 = $2 and state = 'restored' limit 1`,
    [oid, sha256],
  );
  return (rowCount ?? 0) > 0;
}

/**
 * Tells whether a model was made by a restore that did not come as far as its records, and has had none since:
 * it is as new as when it was made.
 *
 * @param oid of its table
 */
export async function isUnfilled(
  client: pg.Client,
  { namespace }: Pick<BundleScope, 'namespace'>,
  model: string,
  oid: number,
): Promise<boolean> {
  const { rows } = await client.query<{ unfilled: boolean }>(
    `select exists (
         select from thaw.bundle_models where schema_name = $1 and model = $2 and created and with_data)
       and not exists (select from thaw.bundle_files where target_oid = $3 and state = 'restored')
       and not exists (select from ${qualifiedName(namespace, model)}) as unfilled`,
    [namespace, model, oid],
  );
  return rows[0]?.unfilled ?? false;
}
