import type { RestoreRequest, TableRequest } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { configuredTables, findDatabase } from './database-config.ts';
import type { ThawConfig } from './thaw-config.ts';

/**
 * The tables of a restore, or some of them.
 *
 * @param names of tables, as archived or as they are, with or without schema; null: all
 * @throws ThawError `InputInvalid` for one that the restore does not have
 */
export function chosenTables(
  config: ThawConfig,
  { restoreId, database, tables }: RestoreRequest,
  names: readonly string[] | null,
): TableRequest[] {
  const all = tables ?? configuredTables(findDatabase(config, database));
  if (names === null) return [...all];
  return names.flatMap((name) => {
    const chosen = all.filter((table) => namesOf(table).includes(name));
    if (chosen.length > 0) return chosen;
    throw new ThawError('InputInvalid', `--table: restore ${restoreId} has no table ${name}`, {
      object: name,
      hint: `Name one of ${all.map(({ intoTable }) => intoTable).join(', ')}.`,
    });
  });
}

function namesOf({ table, intoSchema, intoTable }: TableRequest): string[] {
  return [table, intoTable, `${intoSchema}.${intoTable}`];
}
