import type { DumpPart } from '../../contract/dump-request.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { hasSection } from '../tools/part-section.ts';
import { parsePartTable } from '../tools/part-table.ts';

/** One line of `pg_restore --list --verbose`. */
interface ListedEntry {
  readonly id: number;
  /** Kind, schema, name and owner, with nothing that tells their ends. */
  readonly text: string;
  /** Entries that it depends on. */
  readonly needs: readonly number[];
}

/** What pg_restore lists with some arguments. */
export type ListEntries = (args: readonly string[]) => Promise<string>;

/** What belongs to the table that its name begins with, and depends on it. */
const ofTable = /^(?:CONSTRAINT|CHECK CONSTRAINT|FK CONSTRAINT|DEFAULT|TRIGGER|RULE|POLICY|ROW SECURITY) /;
/** What belongs to whatever it depends on. */
const ofOther =
  /^(?:INDEX|STATISTICS|SEQUENCE|SEQUENCE OWNED BY|SEQUENCE SET|COMMENT|ACL|SECURITY LABEL|TABLE DATA|MATERIALIZED VIEW DATA|STATISTICS DATA) /;
/** What binds two others, and is nothing without both. */
const binding = /^(?:TABLE|INDEX) ATTACH /;
/** What pg_restore calls a table. */
const relation = /^(?:TABLE|VIEW|MATERIALIZED VIEW|FOREIGN TABLE|SEQUENCE) /;

/**
 * Chooses the entries of an archive that belong to some tables and schemas: what pg_restore takes for `--table`
 * and `--schema`, and with it what it leaves behind: indexes, constraints, triggers, policies, defaults and the
 * sequences that a table owns, and a schema that is not there yet. Which table is meant is left to pg_restore,
 * since names cannot be told apart in its list.
 *
 * @param there schemas of the database that is loaded
 * @returns numbers, in the order of the archive
 * @throws ThawError `InputInvalid` for the rows of a partitioned table without any of its partitions
 */
export async function partEntries(
  part: DumpPart,
  there: ReadonlySet<string>,
  list: ListEntries,
): Promise<number[]> {
  const { tables, schemas } = part;
  const entries = readList(await list(['--verbose']));
  const chosen = new Set<number>();
  const names = new Map<number, string>();
  if (tables.length === 0) {
    for (const { id } of readList(await list(['--strict-names', ...schemaArguments(schemas)])))
      chosen.add(id);
  }
  for (const { schema, table } of tables.map(parsePartTable)) {
    const within = schemaArguments(schema === null ? schemas : [schema]);
    for (const { id, text } of readList(await list(['--strict-names', `--table=${table}`, ...within]))) {
      chosen.add(id);
      if (relation.test(text)) names.set(id, relationName(text, table));
    }
  }
  for (let before = -1; before < chosen.size; ) {
    before = chosen.size;
    for (const entry of entries) if (belongs(entry, chosen, names)) chosen.add(entry.id);
  }
  if (hasSection(part, 'data')) refuseWithoutPartitions(entries, chosen, names);
  // Last: what else lies in such a schema needs it too, and is not asked for.
  for (const id of missingSchemas(entries, chosen, there)) chosen.add(id);
  return entries.filter(({ id }) => chosen.has(id)).map(({ id }) => id);
}

/** A partitioned table has no rows in a dump but those of its partitions, which pg_restore does not take with it. */
function refuseWithoutPartitions(
  entries: readonly ListedEntry[],
  chosen: ReadonlySet<number>,
  names: ReadonlyMap<number, string>,
): void {
  for (const [table, name] of names) {
    const those = entries.filter(({ needs }) => needs.includes(table));
    const attached = those.filter(({ text }) => text.startsWith('TABLE ATTACH '));
    const hasRows = those.some(({ text }) => text.startsWith('TABLE DATA '));
    if (hasRows || attached.length === 0 || attached.some(({ id }) => chosen.has(id))) continue;
    throw new ThawError(
      'InputInvalid',
      `${name.replace(' ', '.')} is partitioned, and has no rows of its own`,
      {
        object: name,
        hint: 'Name its partitions, too; or take its structure alone (--schema-only).',
      },
    );
  }
}

function schemaArguments(schemas: readonly string[]): string[] {
  return schemas.map((schema) => `--schema=${schema}`);
}

/** `schema table` of `TABLE schema table owner`; line breaks in names are spaces there. */
function relationName(text: string, table: string): string {
  const name = table.replaceAll(/[\r\n]/g, ' ');
  const rest = text.replace(relation, '');
  const at = rest.indexOf(` ${name}`);
  return rest.slice(0, at + 1 + name.length);
}

/** The schemas that something chosen lies in and that have to be made, with their privileges and comments. */
function missingSchemas(
  entries: readonly ListedEntry[],
  chosen: ReadonlySet<number>,
  there: ReadonlySet<string>,
): number[] {
  const needed = new Set(entries.flatMap(({ id, needs }) => (chosen.has(id) ? needs : [])));
  const isThere = (text: string) => [...there].some((name) => text.startsWith(`SCHEMA - ${name} `));
  const schemas = entries.filter(
    ({ id, text }) => needed.has(id) && text.startsWith('SCHEMA - ') && !isThere(text),
  );
  const ids = new Set(schemas.map(({ id }) => id));
  const ofSchema = /^(?:ACL|COMMENT|SECURITY LABEL) - SCHEMA /;
  const more = entries.filter(({ text, needs }) => ofSchema.test(text) && needs.some((id) => ids.has(id)));
  return [...schemas, ...more].map(({ id }) => id);
}

function belongs(
  { text, needs }: ListedEntry,
  chosen: ReadonlySet<number>,
  tables: ReadonlyMap<number, string>,
): boolean {
  if (needs.length === 0) return false;
  if (binding.test(text)) return needs.every((id) => chosen.has(id));
  if (ofOther.test(text)) return needs.some((id) => chosen.has(id));
  if (!ofTable.test(text)) return false;
  const name = text.replace(ofTable, '');
  // A foreign key depends on the table that it refers to as well: it belongs to the one whose name it has.
  return needs.some((id) => name.startsWith(`${tables.get(id)} `));
}

function readList(list: string): ListedEntry[] {
  const entries: { id: number; text: string; needs: number[] }[] = [];
  for (const line of list.split('\n')) {
    const [, id, text = ''] = /^(\d+); \d+ \d+ (.*)$/.exec(line) ?? [];
    if (id !== undefined) entries.push({ id: Number(id), text, needs: [] });
    const needs = /^;\tdepends on:([ \d]+)$/.exec(line)?.[1];
    if (needs !== undefined) entries.at(-1)?.needs.push(...needs.trim().split(' ').map(Number));
  }
  return entries;
}
