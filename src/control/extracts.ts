import type { ControlClient } from './control-database.ts';
import type { Listing } from './list.ts';
import { onlyRow, readSaved, trashSaved } from './saved-records.ts';

/** What the user says of a saved extract. */
export interface ExtractSettings {
  readonly name: string;
  readonly description: string | null;
  readonly include: readonly string[];
  readonly models: readonly string[] | null;
  readonly enabled: boolean;
  /** `database`: the one that is read. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** A saved extract as it lies in `thaw_api.extracts`. */
export interface ExtractRow extends ExtractSettings {
  readonly id: string;
  readonly tenant: string;
  readonly last_run_id: string | null;
  readonly last_run_at: Date | null;
  readonly total_runs: number;
  readonly created_by: string;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly trashed_at: Date | null;
}

/** How saved extracts are listed. */
export const extractListing: Listing = {
  table: 'thaw_api.extracts',
  fields: {
    id: 'id',
    name: 'text',
    description: 'text',
    include: 'list',
    models: 'list',
    enabled: 'boolean',
    last_run_id: 'text',
    last_run_at: 'time',
    total_runs: 'number',
    created_by: 'text',
    created_at: 'time',
    updated_at: 'time',
    trashed_at: 'time',
  },
  condition: 'trashed_at is null',
  order: [{ field: 'created_at', direction: 'desc' }],
};

/** Saves an extract. */
export async function insertExtract(
  client: ControlClient,
  tenant: string,
  createdBy: string,
  settings: ExtractSettings,
): Promise<ExtractRow> {
  const { rows } = await client.query<ExtractRow>(
    `insert into thaw_api.extracts (name, description, include, models, enabled, options, tenant, created_by)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     returning *`,
    [...valuesOf(settings), tenant, createdBy],
  );
  return onlyRow(rows);
}

/** Writes the settings of a saved extract anew. */
export async function updateExtract(
  client: ControlClient,
  id: string,
  settings: ExtractSettings,
): Promise<ExtractRow> {
  const { rows } = await client.query<ExtractRow>(
    `update thaw_api.extracts set
       name = $1, description = $2, include = $3, models = $4, enabled = $5, options = $6, updated_at = now()
     where id = $7
     returning *`,
    [...valuesOf(settings), id],
  );
  return onlyRow(rows);
}

/** A saved extract, as {@link readSaved} finds it. */
export function readExtract(
  client: ControlClient,
  id: string,
  tenant: string | null,
  lock: 'for update' | '' = '',
): Promise<ExtractRow | null> {
  return readSaved(client, 'thaw_api.extracts', id, tenant, lock);
}

/** Deletes a saved extract softly: its runs and bundles stay. */
export function trashExtract(client: ControlClient, id: string): Promise<ExtractRow> {
  return trashSaved(client, 'thaw_api.extracts', id);
}

function valuesOf({ name, description, include, models, enabled, options }: ExtractSettings): unknown[] {
  return [name, description, include, models, enabled, options];
}
