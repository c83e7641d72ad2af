import type { ControlClient } from './control-database.ts';
import type { Listing } from './list.ts';

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
  return only(rows);
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
  return only(rows);
}

/**
 * A saved extract; null where the tenant has none of that id, or deleted it. A tenant of null sees those of all.
 *
 * @param lock keeps others from changing, running and deleting it until the transaction ends
 */
export async function readExtract(
  client: ControlClient,
  id: string,
  tenant: string | null,
  lock: 'for update' | '' = '',
): Promise<ExtractRow | null> {
  const { rows } = await client.query<ExtractRow>(
    `select * from thaw_api.extracts
     where id::text = $1 and ($2::text is null or tenant = $2) and trashed_at is null ${lock}`,
    [id.toLowerCase(), tenant],
  );
  return rows[0] ?? null;
}

/** Deletes a saved extract softly: its runs and bundles stay. */
export async function trashExtract(client: ControlClient, id: string): Promise<ExtractRow> {
  const { rows } = await client.query<ExtractRow>(
    'update thaw_api.extracts set trashed_at = now(), updated_at = now() where id = $1 returning *',
    [id],
  );
  return only(rows);
}

function valuesOf({ name, description, include, models, enabled, options }: ExtractSettings): unknown[] {
  return [name, description, include, models, enabled, options];
}

function only(rows: readonly ExtractRow[]): ExtractRow {
  const [row] = rows;
  if (row === undefined) throw new Error('the statement gave no row');
  return row;
}
