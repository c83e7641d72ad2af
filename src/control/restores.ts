import type { SourceType } from '../contract/run-request.ts';
import type { ControlClient } from './control-database.ts';
import type { Listing } from './list.ts';
import { onlyRow, readSaved, trashSaved } from './saved-records.ts';

/** A saved restore as it lies in `thaw_api.restores`, in the words of the API document. */
export interface RestoreRow extends RestoreSettings {
  readonly id: string;
  readonly tenant: string;
  /** The schema of whoever saved it: bundles go into it. */
  readonly namespace: string;
  readonly last_run_id: string | null;
  readonly last_run_at: Date | null;
  readonly total_runs: number;
  readonly successful_runs: number;
  readonly failed_runs: number;
  readonly created_by: string;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly trashed_at: Date | null;
}

/** What the user says of a saved restore. */
export interface RestoreSettings {
  readonly name: string;
  readonly description: string | null;
  readonly source_type: SourceType;
  readonly source_ref: string | null;
  readonly conflict_strategy: string;
  readonly include: readonly string[];
  readonly models: readonly string[] | null;
  readonly create_models: boolean;
  readonly enabled: boolean;
  /** What only its kind of source knows. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Who saves a restore. */
export interface RestoreOwner {
  readonly subject: string;
  readonly tenant: string;
  readonly namespace: string;
}

/** How saved restores are listed. */
export const restoreListing: Listing = {
  table: 'thaw_api.restores',
  fields: {
    id: 'id',
    name: 'text',
    description: 'text',
    source_type: 'text',
    source_ref: 'text',
    conflict_strategy: 'text',
    include: 'list',
    models: 'list',
    create_models: 'boolean',
    enabled: 'boolean',
    last_run_id: 'text',
    last_run_at: 'time',
    total_runs: 'number',
    successful_runs: 'number',
    failed_runs: 'number',
    created_by: 'text',
    created_at: 'time',
    updated_at: 'time',
    trashed_at: 'time',
  },
  condition: 'trashed_at is null',
  order: [{ field: 'created_at', direction: 'desc' }],
};

/** Saves a restore. */
export async function insertRestore(
  client: ControlClient,
  owner: RestoreOwner,
  settings: RestoreSettings,
): Promise<RestoreRow> {
  const { rows } = await client.query<RestoreRow>(
    `insert into thaw_api.restores
       (name, description, source_type, source_ref, conflict_strategy, include, models, create_models, enabled,
        options, tenant, namespace, created_by)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
     returning *`,
    [...valuesOf(settings), owner.tenant, owner.namespace, owner.subject],
  );
  return onlyRow(rows);
}

/** Writes the settings of a saved restore anew. */
export async function updateRestore(
  client: ControlClient,
  id: string,
  settings: RestoreSettings,
): Promise<RestoreRow> {
  const { rows } = await client.query<RestoreRow>(
    `update thaw_api.restores set
       name = $1, description = $2, source_type = $3, source_ref = $4, conflict_strategy = $5, include = $6,
       models = $7, create_models = $8, enabled = $9, options = $10, updated_at = now()
     where id = $11
     returning *`,
    [...valuesOf(settings), id],
  );
  return onlyRow(rows);
}

/** A saved restore, as {@link readSaved} finds it. */
export function readRestore(
  client: ControlClient,
  id: string,
  tenant: string | null,
  lock: 'for update' | '' = '',
): Promise<RestoreRow | null> {
  return readSaved(client, 'thaw_api.restores', id, tenant, lock);
}

/** Deletes a saved restore softly: its runs and logs stay, and it is shown where it is asked for. */
export function trashRestore(client: ControlClient, id: string): Promise<RestoreRow> {
  return trashSaved(client, 'thaw_api.restores', id);
}

function valuesOf(settings: RestoreSettings): unknown[] {
  return [
    settings.name,
    settings.description,
    settings.source_type,
    settings.source_ref,
    settings.conflict_strategy,
    settings.include,
    settings.models,
    settings.create_models,
    settings.enabled,
    settings.options,
  ];
}
