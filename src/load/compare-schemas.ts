import type { ArchiveExtent, ArchiveRef } from '../contract/activities.ts';
import type { RestoreRequest, TableRequest } from '../contract/restore-request.ts';
import type { TargetTable } from '../postgres/catalog.ts';
import {
  checkMigration,
  describeMigration,
  type FoundSchemas,
  planMigration,
  type SchemaMark,
} from '../restore/schema-migration.ts';
import { findSchemas, schemaScope } from './archived-schemas.ts';
import type { ThawContext } from './thaw-context.ts';

/** Whose schemas are compared. */
export interface SchemaComparison {
  readonly request: Pick<RestoreRequest, 'database' | 'keys' | 'options'>;
  readonly table: TableRequest;
  readonly target: Pick<TargetTable, 'columns'>;
  readonly signal: AbortSignal;
}

/** What the schemas of a table's archives are, beside the table. */
export interface ComparedSchemas {
  /** Those that the loads have to know. */
  readonly marks: readonly SchemaMark[];
  /** All archives that are asked for. */
  readonly extent: ArchiveExtent;
  /** What becomes of columns that differ, for the user. */
  readonly notices: readonly string[];
}

/**
 * Compares the schemas of all archives that are to be loaded with the table that they go into.
 *
 * @param pending of some archives, those that are to be loaded
 * @throws ThawError `SchemaIncompatible` where the strategy refuses the whole table; `InputInvalid` for a column
 * that no archive has; those of the store
 */
export async function compareSchemas(
  thaw: ThawContext,
  { request, table, target, signal }: SchemaComparison,
  pending: (archives: readonly ArchiveRef[]) => Promise<readonly ArchiveRef[]>,
): Promise<ComparedSchemas> {
  const { options } = request;
  const scope = schemaScope(thaw.config.store.prefix, request, table, signal);
  const found = await findSchemas(thaw.store, scope, pending);
  const plans = planMigration(`${table.intoSchema}.${table.intoTable}`, found, target.columns, options);
  checkMigration(plans, options);
  return { marks: neededMarks(found), extent: found.extent, notices: describeMigration(plans) };
}

/** Those that archives to be loaded may go by: a restore of what came since yesterday keeps few. */
function neededMarks({ marks, used: [first] }: FoundSchemas): readonly SchemaMark[] {
  return first === undefined ? [] : marks.slice(marks.indexOf(first));
}
