import { archiverKeys } from '../archive/archiver-keys.ts';
import type { RestoreOptions } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { TargetColumn, TargetTable } from '../postgres/catalog.ts';

/** The columns that archived values are written to; all others keep their defaults. */
export function writtenColumns({ columns }: Pick<TargetTable, 'columns'>): TargetColumn[] {
  return columns.filter((column) => column.generated === null && !archiverKeys.has(column.name));
}

/** The columns that have the name of a key of the archiver: it wrote its own values over theirs. */
export function overwrittenColumns({ columns }: Pick<TargetTable, 'columns'>): TargetColumn[] {
  return columns.filter((column) => column.generated === null && archiverKeys.has(column.name));
}

/**
 * Refuses a table with columns that the archiver wrote its own values over, unless these are to be left to
 * their defaults and can be.
 *
 * @throws ThawError `SchemaIncompatible`
 */
export function checkOverwritten(target: TargetTable, { unrestorable }: RestoreOptions): void {
  const object = `${target.schema}.${target.table}`;
  const overwritten = overwrittenColumns(target);
  const lacking = overwritten.filter(({ notNull, hasDefault }) => notNull && !hasDefault);
  if (overwritten.length === 0 || (unrestorable === 'null' && lacking.length === 0)) return;
  const isChosen = unrestorable === 'null';
  const names = (isChosen ? lacking : overwritten).map(({ name }) => name).join(', ');
  throw new ThawError(
    'SchemaIncompatible',
    isChosen
      ? `${object}: ${names} must have a value, which is in no archive: the archiver writes a key of its own under that name.`
      : `${object}: what ${names} held is in no archive: the archiver writes a key of its own under that name.`,
    {
      object,
      hint: isChosen
        ? 'Give the column a default, or let it be NULL, until the values are had from elsewhere.'
        : 'With --unrestorable null the rows are restored, with the default of the column in it.',
    },
  );
}
