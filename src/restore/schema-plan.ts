import { archivedType, declaredType } from '../archive/archived-type.ts';
import type { ColumnType } from '../archive/column-type.ts';
import type { ArchivedColumn, ArchivedSchema } from '../archive/metadata.ts';
import type { RestoreOptions } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { TargetColumn } from '../postgres/catalog.ts';
import { targetType, typeChange, typeText } from './type-change.ts';

/**
 * What happens to a column:
 *
 * taken      values are restored as they are.
 * converted  values are restored into another type than they were archived with.
 * filled     the archive does not have it; the table's DEFAULT is taken, or NULL where there is none.
 * computed   the table computes it; archived values are passed over.
 * dropped    the table does not have it; its values are left out, and counted.
 * unwanted   not among the columns that were asked for.
 * refused    the strategy does not allow what would have to be done.
 */
export type ColumnFate = 'taken' | 'converted' | 'filled' | 'computed' | 'dropped' | 'unwanted' | 'refused';

/** A column of the archive, of the table, or of both. */
export interface PlannedColumn {
  /** Its name in the archive; null where the archive does not have it. */
  readonly archived: string | null;
  /** Its name in the table; null where the table does not have it. */
  readonly column: string | null;
  readonly fate: ColumnFate;
  /** What was archived and what the table has, or why it is refused; empty for a column that is simply taken. */
  readonly detail: string;
  /** By what type values are read where that is not the table's own; null otherwise. */
  readonly readAs: ColumnType | null;
}

/** How archives of one schema go into a table. */
export interface SchemaPlan {
  /** The table's columns in their order, then those that only the archive has. */
  readonly columns: readonly PlannedColumn[];
}

/** What of the options a plan goes by. */
export type SchemaOptions = Pick<RestoreOptions, 'schemaStrategy' | 'columns' | 'renamedColumns'>;

/**
 * Plans how archives of a schema go into a table.
 *
 * strict     the columns are the same, in name and type; generated ones may be missing.
 * lenient    columns that the archive lacks are filled, those that the table lacks are dropped. A changed type
 *            is allowed where no value can come back as another one without an error.
 * transform  as lenient, and every change of type is allowed.
 * none       nothing is migrated: the columns must be the same as under strict.
 *
 * Renames apply first. Without a schema the records tell: every column of the table is expected.
 */
export function planSchema(
  archived: ArchivedSchema | null,
  target: readonly TargetColumn[],
  options: SchemaOptions,
): SchemaPlan {
  const sources = archived === null ? null : sourcesOf(archived, options);
  const columns = target.map((column) => planColumn(column, sources, options));
  const taken = new Set(columns.map(({ archived: name }) => name));
  const surplus = (archived?.columns ?? []).filter(({ name }) => !taken.has(name));
  return { columns: [...columns, ...surplus.map((column) => planSurplus(column, options))] };
}

/** The name in the table of an archived column. */
export function targetName(archived: string, { renamedColumns }: SchemaOptions): string {
  return Object.hasOwn(renamedColumns, archived) ? (renamedColumns[archived] ?? archived) : archived;
}

/** Keys under which records may have a column of the table; none where they are not asked for it. */
export function archivedNames(column: string, options: SchemaOptions): string[] {
  const names = [...Object.keys(options.renamedColumns), column];
  return [...new Set(names)].filter((name) => {
    return targetName(name, options) === column && isWanted(name, options);
  });
}

/** What is not simply taken, a line for each column, for people. */
export function describeSchemaPlan({ columns }: SchemaPlan): string[] {
  return columns.flatMap(({ archived, column, fate, detail }) => {
    const renamed = archived !== null && column !== null && archived !== column;
    const name = renamed ? `${archived} (${column} in the table)` : (column ?? archived ?? '');
    if (fate === 'taken') return renamed ? [`Column ${name}: renamed.`] : [];
    if (fate === 'computed') return [];
    return [`Column ${name}: ${detail}.`];
  });
}

/**
 * Refuses what the strategy does not allow.
 *
 * @param object what was archived with the schema: the archive's key
 * @throws ThawError `SchemaIncompatible`, with the first columns
 */
export function checkSchemaPlan(plan: SchemaPlan, object: string, options: SchemaOptions): void {
  const refused = plan.columns.filter(({ fate }) => fate === 'refused');
  if (refused.length === 0) return;
  const shown = refused.slice(0, shownColumns).map(({ archived, column, detail }) => {
    return `column ${column ?? archived}: ${detail}`;
  });
  const more = refused.length > shownColumns ? `; and ${refused.length - shownColumns} more` : '';
  throw new ThawError('SchemaIncompatible', `${object}: ${shown.join('; ')}${more}.`, {
    object,
    stage: 'metadata',
    hint: hints[options.schemaStrategy],
  });
}

/** Columns that an error names. */
const shownColumns = 5;

const hints: Readonly<Record<SchemaOptions['schemaStrategy'], string>> = {
  strict:
    'Alter the table, or use --schema-migration-strategy lenient: it fills what the archives lack and leaves out what the table lacks.',
  none: 'Alter the table, or use --schema-migration-strategy lenient: it fills what the archives lack and leaves out what the table lacks.',
  lenient: 'Alter the table, or use --schema-migration-strategy transform where values may be converted.',
  transform: 'Alter the table, or name the column that it was archived as with --map-column old=new.',
};

/** Archived columns that are asked for, by their names in the table. */
function sourcesOf(archived: ArchivedSchema, options: SchemaOptions): ReadonlyMap<string, ArchivedColumn[]> {
  const sources = new Map<string, ArchivedColumn[]>();
  for (const column of archived.columns) {
    if (!isWanted(column.name, options)) continue;
    const name = targetName(column.name, options);
    sources.set(name, [...(sources.get(name) ?? []), column]);
  }
  return sources;
}

function planColumn(
  column: TargetColumn,
  sources: ReadonlyMap<string, readonly ArchivedColumn[]> | null,
  options: SchemaOptions,
): PlannedColumn {
  const { name } = column;
  const [source, other] = sources?.get(name) ?? [];
  const plan = (fate: ColumnFate, detail = '', archived = source?.name ?? null): PlannedColumn => {
    return { archived, column: name, fate, detail, readAs: null };
  };
  if (column.generated !== null) return plan('computed', 'the table computes it');
  if (other !== undefined) return plan('refused', `both ${source?.name} and ${other.name} go into it`);
  if (source !== undefined) return planChange(column, source, options);
  if (sources === null) {
    const [archived] = archivedNames(name, options);
    return archived === undefined ? planMissing(column, options) : plan('taken', '', archived);
  }
  return planMissing(column, options);
}

function planChange(column: TargetColumn, source: ArchivedColumn, options: SchemaOptions): PlannedColumn {
  const from = declaredType(source);
  const to = targetType(column);
  const isInner = column.innerDomain !== null && from.name === column.innerDomain;
  const change = isInner ? 'none' : typeChange(from, to);
  const plan = { archived: source.name, column: column.name, readAs: null };
  if (change === 'none') return { ...plan, fate: 'taken', detail: '' };
  const types = `archived as ${typeText(from)}, and the table has ${typeText(to)}`;
  const lossy = 'values may be rounded, cut off or moved to another time zone';
  const { schemaStrategy } = options;
  if (isExact(options)) return { ...plan, fate: 'refused', detail: types };
  if (schemaStrategy === 'lenient' && change === 'lossy')
    return { ...plan, fate: 'refused', detail: `${types}: ${lossy}` };
  // An enum or composite of the source is read as the table's own type is: nothing more is known of it.
  const readAs = source.dataType === 'USER-DEFINED' ? null : archivedType(source);
  const detail = `${types}: converted${change === 'lossy' ? `, and ${lossy}` : ''}`;
  return { ...plan, fate: 'converted', detail, readAs };
}

function planMissing(column: TargetColumn, options: SchemaOptions): PlannedColumn {
  const { name } = column;
  const plan = { archived: null, column: name, readAs: null };
  const given = column.hasDefault ? 'its default is taken' : 'it becomes NULL';
  // What a subset leaves out on purpose is no difference of the schemas.
  const isUnwanted = options.columns !== null;
  if (!isUnwanted && isExact(options))
    return { ...plan, fate: 'refused', detail: 'the archive does not have it' };
  const why = isUnwanted ? 'not among the columns asked for' : 'the archive does not have it';
  if (column.notNull && !column.hasDefault) {
    return {
      ...plan,
      fate: 'refused',
      detail: `${why}, and the table has no default for it and refuses NULL`,
    };
  }
  return { ...plan, fate: 'filled', detail: `${why}; ${given}` };
}

function planSurplus({ name }: ArchivedColumn, options: SchemaOptions): PlannedColumn {
  const plan = { archived: name, column: null, readAs: null };
  if (!isWanted(name, options))
    return { ...plan, fate: 'unwanted', detail: 'not among the columns asked for' };
  return !isExact(options) && options.columns === null
    ? { ...plan, fate: 'dropped', detail: 'the table does not have it; its values are left out' }
    : { ...plan, fate: 'refused', detail: 'the table does not have it' };
}

/** Tells whether the strategy wants archives to be as the table is. */
export function isExact({ schemaStrategy }: Pick<SchemaOptions, 'schemaStrategy'>): boolean {
  return schemaStrategy === 'strict' || schemaStrategy === 'none';
}

/** Tells whether a column is asked for, by its name in the archive. */
export function isWanted(archived: string, { columns }: SchemaOptions): boolean {
  return columns === null || columns.includes(archived);
}
