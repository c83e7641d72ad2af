import type { DumpPart, DumpSection } from '../../contract/dump-request.ts';
import type { DatabaseObject } from '../../postgres/dump-objects.ts';
import { hasSection } from '../tools/part-section.ts';
import { parsePartTable } from '../tools/part-table.ts';
import { isPart } from '../tools/restore-options.ts';

/** Which part of a dump was restored. */
export interface RestoredPart {
  readonly part: DumpPart;
  /** Further options of pg_restore, in their long forms. */
  readonly options: readonly string[];
}

const dataKinds = new Set(['TABLE DATA', 'SEQUENCE SET', 'BLOBS', 'STATISTICS DATA']);
const postDataKinds = new Set([
  ...['INDEX', 'INDEX ATTACH', 'CONSTRAINT', 'FK CONSTRAINT', 'CHECK CONSTRAINT', 'STATISTICS', 'TRIGGER'],
  ...['EVENT TRIGGER', 'RULE', 'POLICY', 'ROW SECURITY', 'PUBLICATION', 'PUBLICATION TABLE'],
  ...['PUBLICATION TABLES IN SCHEMA', 'SUBSCRIPTION', 'MATERIALIZED VIEW DATA', 'DEFAULT ACL'],
]);
/** What pg_restore takes under `--table`. */
const tableKinds = new Set([
  ...['TABLE', 'TABLE DATA', 'VIEW', 'FOREIGN TABLE', 'MATERIALIZED VIEW', 'MATERIALIZED VIEW DATA'],
  ...['SEQUENCE', 'SEQUENCE SET'],
]);

/** What comes with the table that its name begins with. */
const ofTableKinds = new Set([
  ...[
    'CONSTRAINT',
    'CHECK CONSTRAINT',
    'FK CONSTRAINT',
    'DEFAULT',
    'TRIGGER',
    'RULE',
    'POLICY',
    'ROW SECURITY',
  ],
]);

/**
 * The entries of a dump that are restored for a part of it. With tables alone, indexes and sequences of other names
 * come along too, but which table they belong to is not known here.
 */
export function restoredEntries<Entry extends DatabaseObject>(
  toc: readonly Entry[],
  { part, options }: RestoredPart,
): readonly Entry[] {
  const excluded = excludedSchemas(options);
  const leavesOut = (kind: string) => options.includes(`--no-${kind}s`);
  const relations = new Set(toc.flatMap((entry) => (relationKinds.has(entry.kind) ? [placeOf(entry)] : [])));
  return toc.filter((entry) => {
    const { kind, schema, name } = entry;
    if (!hasSection(part, sectionOf(entry))) return false;
    // A large object is made by its data, though pg_dump lists it before them.
    if (kind === 'BLOB' && part.schemaOnly) return false;
    if (schema === null ? part.schemas.length > 0 : !isOfSchemas(part, excluded, schema)) return false;
    if (part.tables.length > 0) {
      const table = ofTableKinds.has(kind) ? tableOf(entry, relations) : tableKinds.has(kind) ? name : null;
      if (table === null || !isChosen(part, schema ?? '', table)) return false;
    }
    if (kind.startsWith('PUBLICATION')) return !leavesOut('publication');
    return !(kind === 'SUBSCRIPTION' && leavesOut('subscription'));
  });
}

const relationKinds = new Set(['TABLE', 'VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE']);

function placeOf({ schema, name }: DatabaseObject): string {
  return `${schema} ${name}`;
}

/** The table that a name begins with: the longest, as names may have spaces. */
function tableOf({ schema, name }: DatabaseObject, relations: ReadonlySet<string>): string | null {
  for (let end = name.length; end > 0; end = name.lastIndexOf(' ', end - 1)) {
    const table = name.slice(0, end);
    if (relations.has(`${schema} ${table}`)) return table;
  }
  return null;
}

/** The tables of a dump whose rows pg_restore takes for a part of it. */
export function restoredTables<Table extends { readonly table: string }>(
  tables: readonly Table[],
  { part, options }: RestoredPart,
): readonly Table[] {
  if (!hasSection(part, 'data')) return [];
  const excluded = excludedSchemas(options);
  return tables.filter(({ table: text }) => {
    const { schema, table } = parsePartTable(text);
    if (!isOfSchemas(part, excluded, schema ?? '')) return false;
    return part.tables.length === 0 || isChosen(part, schema ?? '', table);
  });
}

/** Whether all of a dump was restored. */
export function isWhole({ part, options }: RestoredPart): boolean {
  return !isPart({ ...part, clean: false }) && excludedSchemas(options).length === 0;
}

function sectionOf({ kind }: DatabaseObject): DumpSection {
  if (dataKinds.has(kind)) return 'data';
  return postDataKinds.has(kind) ? 'post-data' : 'pre-data';
}

function isOfSchemas({ schemas }: DumpPart, excluded: readonly string[], schema: string): boolean {
  return (schemas.length === 0 || schemas.includes(schema)) && !excluded.includes(schema);
}

function isChosen({ tables }: DumpPart, schema: string, table: string): boolean {
  return tables.map(parsePartTable).some((one) => {
    return one.table === table && (one.schema === null || one.schema === schema);
  });
}

const excludes = '--exclude-schema=';

function excludedSchemas(options: readonly string[]): string[] {
  return options.flatMap((option) => (option.startsWith(excludes) ? [option.slice(excludes.length)] : []));
}
