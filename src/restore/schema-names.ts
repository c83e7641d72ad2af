import type { ArchivedSchema } from '../archive/metadata.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { type SchemaOptions, targetName } from './schema-plan.ts';

/** Names that a message lists. */
const shownNames = 20;

/**
 * Refuses columns that were asked for by name and that the table does not have.
 *
 * @param columns of the table
 * @throws ThawError `InputInvalid`, naming what there is
 */
export function checkTargetNames(table: string, columns: readonly string[], options: SchemaOptions): void {
  const renamed = Object.keys(options.renamedColumns).find(
    (old) => !columns.includes(targetName(old, options)),
  );
  if (renamed !== undefined) {
    const wanted = targetName(renamed, options);
    throw unknown(`${table}: it has no column ${wanted}, which ${renamed} is to go into.`, table, columns);
  }
  const chosen = options.columns?.find((name) => !columns.includes(targetName(name, options)));
  if (chosen === undefined) return;
  throw unknown(`${table}: it has no column ${targetName(chosen, options)}.`, table, columns);
}

/**
 * Refuses columns that were asked for by name and that no archive has.
 *
 * @param schemas of all archives; without any, their records tell
 * @throws ThawError `InputInvalid`, naming what there is
 */
export function checkArchivedNames(
  table: string,
  schemas: readonly ArchivedSchema[],
  options: SchemaOptions,
): void {
  if (schemas.length === 0) return;
  const archived = [...new Set(schemas.flatMap(({ columns }) => columns.map(({ name }) => name)))];
  const asked = [...Object.keys(options.renamedColumns), ...(options.columns ?? [])];
  const missing = asked.find((name) => !archived.includes(name));
  if (missing === undefined) return;
  throw unknown(`${table}: no archive has a column ${missing}.`, table, archived);
}

function unknown(message: string, object: string, names: readonly string[]): ThawError {
  const more = names.length > shownNames ? `, and ${names.length - shownNames} more` : '';
  return new ThawError('InputInvalid', message, {
    object,
    hint: `There are ${names.slice(0, shownNames).join(', ')}${more}. --columns and the left side of --map-column name columns as archived.`,
  });
}
