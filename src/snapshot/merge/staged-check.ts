import type pg from 'pg';
import { ThawError } from '../../contract/thaw-error.ts';
import type { TargetTable } from '../../postgres/catalog.ts';
import { hasForeignRows, type StagedTable } from '../../postgres/snapshot-differences.ts';
import { databaseError } from '../../postgres/sqlstate.ts';

/**
 * Refuses what cannot be merged at all, and rows of another tenant in the stage.
 *
 * @throws ThawError `SchemaIncompatible`, `PermissionDenied`, `ConflictFound`; what PostgreSQL answers, raw
 */
export async function checkStaged(client: pg.Client, staged: StagedTable): Promise<void> {
  const { target, tenant, newerBy, columns } = staged;
  const object = tableName(target);
  if (target.kind === 'view') {
    throw new ThawError(
      'SchemaIncompatible',
      `${object}: snapshots are restored into tables, and it is a view.`,
      {
        object,
        stage: 'merge',
        hint: 'Leave it out, and restore the tables that it shows.',
      },
    );
  }
  if (target.hasRowSecurity) {
    throw new ThawError(
      'PermissionDenied',
      `${object}: row-level security may hide rows of it from this user.`,
      {
        object,
        stage: 'merge',
        hint: 'Restore as the owner of the table, or as a user with bypassrls.',
      },
    );
  }
  if (newerBy !== null && !columns.some(({ name }) => name === newerBy)) {
    throw new ThawError(
      'SchemaIncompatible',
      `${object}: the table and the snapshot do not both have a column ${newerBy}.`,
      {
        object,
        stage: 'merge',
        hint: 'Name a column with --newer-by that all tables have, or leave this one out.',
      },
    );
  }
  if (!(await hasForeignRows(client, staged))) return;
  throw new ThawError('ConflictFound', `${object}: the snapshot has rows of another ${tenant?.column}.`, {
    object,
    stage: 'merge',
    hint: 'Nothing was restored. Use a snapshot that was taken of this tenant alone.',
  });
}

/** Does something; what PostgreSQL has against it is about an object. */
export async function aboutObject<Result>(object: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw databaseError(error, { object, stage: 'merge' });
  }
}

/** `schema.table` */
export function tableName({ schema, table }: TargetTable): string {
  return `${schema}.${table}`;
}
