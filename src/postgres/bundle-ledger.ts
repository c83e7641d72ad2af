import type pg from 'pg';

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

/** Writes what was made of a model, in the transaction that makes it. */
export async function recordMade(client: pg.Client, scope: BundleScope, made: MadeModel): Promise<void> {
  await client.query(
    `insert into thaw.bundle_models as own (restore_id, schema_name, model, created, fields)
     values ($1, $2, $3, $4, $5)
     on conflict (restore_id, schema_name, model) do update set fields = own.fields || excluded.fields`,
    [scope.restoreId, scope.namespace, made.model, made.created, made.fields],
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
