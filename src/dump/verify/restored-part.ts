import type { DumpPart, DumpSection } from '../../contract/dump-request.ts';
import type { DatabaseObject } from '../../postgres/dump-objects.ts';
import { parseTableName, unquoted } from './table-name.ts';

/** Which part of a dump was restored. */
export interface RestoredPart {
  readonly part: DumpPart;
  /** Further options of pg_restore. */
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

/**
 * The entries of a dump that pg_restore takes for a part of it; null where options choose single objects, so that
 * they are not known.
 */
export function restoredEntries<Entry extends DatabaseObject>(
  toc: readonly Entry[],
  { part, options }: RestoredPart,
): readonly Entry[] | null {
  if (options.some((option) => /^(-[IPTL]|--(index|function|trigger|use-list|filter)\b)/.test(option)))
    return null;
  const excluded = valuesOf(options, '-N', '--exclude-schema');
  const publications = !options.includes('--no-publications');
  const subscriptions = !options.includes('--no-subscriptions');
  return toc.filter(
    (entry) =>
      hasSection(part, sectionOf(entry)) &&
      (part.schemas.length === 0 || (entry.schema !== null && part.schemas.includes(entry.schema))) &&
      (part.tables.length === 0 ||
        (tableKinds.has(entry.kind) && isChosen(part, entry.schema ?? '', entry.name))) &&
      !excluded.includes(entry.schema ?? '') &&
      (publications || !entry.kind.startsWith('PUBLICATION')) &&
      (subscriptions || !entry.kind.startsWith('SUBSCRIPTION')),
  );
}

/** The tables of a dump whose rows pg_restore takes for a part of it. */
export function restoredTables<Table extends { readonly table: string }>(
  tables: readonly Table[],
  { part, options }: RestoredPart,
): readonly Table[] {
  if (!hasSection(part, 'data')) return [];
  const excluded = valuesOf(options, '-N', '--exclude-schema');
  return tables.filter(({ table: text }) => {
    const name = parseTableName(text);
    if (name === null) return false;
    const isOfSchema = part.schemas.length === 0 || part.schemas.includes(name.schema);
    const isOfTables = part.tables.length === 0 || isChosen(part, name.schema, name.table);
    return isOfSchema && isOfTables && !excluded.includes(name.schema);
  });
}

/** Whether all of a dump was restored. */
export function isWhole({ part, options }: RestoredPart): boolean {
  const { tables, schemas, sections, dataOnly, schemaOnly } = part;
  const chosen = tables.length + schemas.length + sections.length > 0 || dataOnly || schemaOnly;
  return !chosen && valuesOf(options, '-N', '--exclude-schema').length === 0;
}

function sectionOf({ kind }: DatabaseObject): DumpSection {
  if (dataKinds.has(kind)) return 'data';
  return postDataKinds.has(kind) ? 'post-data' : 'pre-data';
}

function hasSection({ sections, dataOnly, schemaOnly }: DumpPart, section: DumpSection): boolean {
  if (dataOnly && section !== 'data') return false;
  if (schemaOnly && section === 'data') return false;
  return sections.length === 0 || sections.includes(section);
}

function isChosen({ tables }: DumpPart, schema: string, table: string): boolean {
  return tables.some((text) => {
    const name = parseTableName(text);
    return name === null ? unquoted(text) === table : name.schema === schema && name.table === table;
  });
}

/** Of `--long=value`, `--long value`, `-Nvalue` and `-N value`. */
function valuesOf(options: readonly string[], short: string, long: string): string[] {
  return options.flatMap((option, place) => {
    if (option === short || option === long) return [options[place + 1] ?? ''];
    if (option.startsWith(`${long}=`)) return [option.slice(long.length + 1)];
    return option.startsWith(short) && !option.startsWith('--') ? [option.slice(short.length)] : [];
  });
}
