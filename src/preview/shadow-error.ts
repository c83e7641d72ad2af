import pg from 'pg';
import { type Stage, ThawError } from '../contract/thaw-error.ts';
import type { TargetTable } from '../postgres/catalog.ts';
import type { Shadow } from '../postgres/shadow.ts';
import { databaseError, isSqlState, sqlState } from '../postgres/sqlstate.ts';

/**
 * What an error of a shadow would be of its target: in the words of {@link databaseError}, and by the target's
 * names.
 *
 * @throws what {@link databaseError} throws
 */
export function shadowError(
  raw: unknown,
  { target, shadow }: { readonly target: TargetTable; readonly shadow: Shadow },
  stage: Stage,
): ThawError {
  const object = `${target.schema}.${target.table}`;
  if (isSqlState(raw, sqlState.readOnlyTransaction)) return writesBesides(object);
  if (raw instanceof pg.DatabaseError && raw.constraint !== undefined) {
    const name = shadow.names.get(raw.constraint) ?? raw.constraint;
    // A partition says which rows it takes without a name for it.
    raw.constraint = name === '' ? undefined : name;
  }
  const error = databaseError(raw, { object, stage });
  const own = `${shadow.target.schema}.${shadow.target.table}`;
  if (!error.message.includes(shadow.target.table) && !error.message.includes('thaw_rule_')) return error;
  const message = error.message
    .replaceAll(own, object)
    .replaceAll(shadow.target.table, target.table)
    .replaceAll(/thaw_rule_\d+_\d+/g, (name) => shadow.names.get(name) ?? name);
  const { hint, line, column, sqlstate } = error;
  return new ThawError(error.code, message, { object, stage: error.stage, hint, line, column, sqlstate });
}

function writesBesides(object: string): ThawError {
  return new ThawError(
    'InputInvalid',
    `${object}: a default or check of the table writes somewhere, which a dry run must not.`,
    { object, hint: 'Use --no-detect-conflicts: the dry run then loads nothing.' },
  );
}
