import type { ArchivedSchema } from '../archive/metadata.ts';
import type { ArchiveExtent } from '../contract/activities.ts';
import type { TargetColumn } from '../postgres/catalog.ts';
import { checkArchivedNames } from './schema-names.ts';
import {
  checkSchemaPlan,
  describeSchemaPlan,
  isExact,
  planSchema,
  type SchemaOptions,
  type SchemaPlan,
} from './schema-plan.ts';

/** A schema and the archive that it was written with: it holds for those after it, until the next. */
export interface SchemaMark {
  /** Full key. */
  readonly key: string;
  readonly schema: ArchivedSchema;
}

/** The schemas of a table's archives. */
export interface FoundSchemas {
  /** In archive order, one only where it is another than the one before. */
  readonly marks: readonly SchemaMark[];
  /** Those of them that archives which are to be loaded go by. */
  readonly used: readonly SchemaMark[];
  /** All archives that are asked for. */
  readonly extent: ArchiveExtent;
  /** There are archives to be loaded for which none is known: their records tell. */
  readonly untold: boolean;
}

/** What becomes of the columns of archives from one on. */
export interface PlannedSchema {
  /** The first of the archives. */
  readonly key: string;
  readonly plan: SchemaPlan;
}

/** Lines that a description has at the most, besides one that counts the rest. */
const mostLines = 12;

/**
 * Plans what becomes of the columns of all archives of a table that are to be loaded: one plan for each schema
 * that they go by, in archive order. Reads and changes nothing, so a dry run asks it as well as a restore.
 *
 * @param table for messages
 * @param target the columns that the table has
 * @throws ThawError `InputInvalid` for a name in `columns` or `renamedColumns` that no archive has
 */
export function planMigration(
  table: string,
  { used, untold }: Pick<FoundSchemas, 'used' | 'untold'>,
  target: readonly TargetColumn[],
  options: SchemaOptions,
): PlannedSchema[] {
  // What records hold that nothing tells of, is known once they are read.
  if (!untold) {
    const schemas = used.map(({ schema }) => schema);
    checkArchivedNames(table, schemas, options);
  }
  return used.map(({ key, schema }) => ({ key, plan: planSchema(schema, target, options) }));
}

/**
 * Refuses all archives of a table where its strategy wants them all to be as the table is.
 *
 * @throws ThawError `SchemaIncompatible`, with the first columns of the first schema that differs
 */
export function checkMigration(schemas: readonly PlannedSchema[], options: SchemaOptions): void {
  if (!isExact(options)) return;
  for (const { key, plan } of schemas) checkSchemaPlan(plan, key, options);
}

/** What is not simply taken, a line for each column and for as many archives in a row as share it, for people. */
export function describeMigration(schemas: readonly PlannedSchema[]): string[] {
  const described = schemas.map(({ key, plan }) => ({ key, lines: new Set(describeSchemaPlan(plan)) }));
  const lines = described.flatMap(({ key, lines: own }, place) => {
    const before = described[place - 1]?.lines;
    const begun = [...own].filter((line) => before?.has(line) !== true);
    return begun.map((line) => {
      const end = described.findIndex((later, index) => index > place && !later.lines.has(line));
      const stretch = [
        ...(place === 0 ? [] : [`from ${key} on`]),
        ...(end === -1 ? [] : [`before ${described[end]?.key}`]),
      ];
      return stretch.length === 0 ? line : `${line.replace(/\.$/, '')} (archives ${stretch.join(' and ')}).`;
    });
  });
  if (lines.length <= mostLines) return lines;
  return [...lines.slice(0, mostLines), `${lines.length - mostLines} more differences of columns.`];
}
