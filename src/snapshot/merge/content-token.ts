import { createHash } from 'node:crypto';
import type pg from 'pg';
import { ThawError } from '../../contract/thaw-error.ts';
import type { StagedTable } from '../../postgres/snapshot-differences.ts';
import { readContentMark } from '../../postgres/table-content.ts';

/**
 * What tells the content of tables, or of the tenant's part of them, from any later one.
 *
 * @throws what PostgreSQL answers, raw
 */
export async function contentToken(client: pg.Client, tables: readonly StagedTable[]): Promise<string> {
  const marks: string[] = [];
  for (const staged of tables) {
    const { target, tenant } = staged;
    const { rows, sum } = await readContentMark(client, staged);
    marks.push(JSON.stringify([target.schema, target.table, target.oid, tenant, rows, sum]));
  }
  return createHash('sha256').update(marks.sort().join('\n')).digest('hex');
}

/**
 * Refuses tables that were changed since their token was taken.
 *
 * @throws ThawError `ConflictFound`
 */
export async function refuseChanged(
  client: pg.Client,
  tables: readonly StagedTable[],
  token: string,
): Promise<void> {
  if ((await contentToken(client, tables)) === token) return;
  throw new ThawError('ConflictFound', 'Tables of the snapshot have changed since the preview.', {
    stage: 'merge',
    hint: 'Nothing was restored. Preview again, of the same tables, and restore with the token that it gives.',
  });
}
