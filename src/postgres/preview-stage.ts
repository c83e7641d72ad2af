import type pg from 'pg';
import { dropSnapshotStage } from './snapshot-stage.ts';
import { isSqlState, sqlState } from './sqlstate.ts';
import { inTransaction, waitBriefly } from './transaction.ts';

/** What the schemas of previews begin with: no restore has a stage of such a name. */
const prefix = 'thaw_preview_';

/** The schema that holds the stage of a preview. */
export function previewSchema(id: string): string {
  return `${prefix}${id}`;
}

/** The stage of a preview is in use for as long as this session lasts. @throws what PostgreSQL answers, raw */
export async function holdPreviewStage(client: pg.Client, schema: string): Promise<void> {
  await client.query('select pg_advisory_lock(hashtextextended($1, 0))', [schema]);
}

/**
 * Drops the stages of previews whose sessions are gone, since their processes were killed. One that cannot be dropped
 * now is left to whoever comes next.
 *
 * @param client in no transaction
 * @throws what PostgreSQL answers, raw
 */
export async function dropDeadPreviewStages(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ schema: string }>(
    `select nspname as schema from pg_namespace
     where starts_with(nspname, $1) and pg_has_role(nspowner, 'usage')`,
    [prefix],
  );
  for (const { schema } of rows) await dropIfDead(client, schema);
}

async function dropIfDead(client: pg.Client, schema: string): Promise<void> {
  const { rows } = await client.query<{ free: boolean }>(
    'select pg_try_advisory_lock(hashtextextended($1, 0)) as free',
    [schema],
  );
  if (rows[0]?.free !== true) return;
  try {
    await inTransaction(client, async () => {
      await waitBriefly(client);
      await dropSnapshotStage(client, schema);
    });
  } catch (error) {
    // A session that PostgreSQL has not missed yet may still copy into it.
    if (!isSqlState(error, sqlState.lockNotAvailable)) throw error;
  } finally {
    await client.query('select pg_advisory_unlock(hashtextextended($1, 0))', [schema]).catch(() => {});
  }
}
