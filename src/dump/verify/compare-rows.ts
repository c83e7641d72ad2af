import type { DumpCheck, TableRows } from '../../contract/dump-activities.ts';
import { formatCount, formatCounted } from '../../restore/format.ts';
import { someNames } from './some-names.ts';
import type { SurveyedTable } from './survey.ts';

/** Rows of a table as counted in a dump; null where they could not be. */
export interface DumpedTable {
  readonly table: string;
  readonly rows: number | null;
}

/** What is compared. */
export interface RowCounts {
  /** Tables of the dump whose rows were restored. */
  readonly dump: readonly DumpedTable[];
  /** Null: there was no database. */
  readonly before: readonly SurveyedTable[] | null;
  readonly after: readonly SurveyedTable[];
  /** Whether rows were added to those that were there. */
  readonly appends: boolean;
  /** Tables whose rows lie elsewhere, as {@link TableRows} names them. */
  readonly foreign: ReadonlySet<string>;
}

/** What came of it. */
export interface ComparedRows {
  readonly check: DumpCheck;
  /** All tables of before, dump and after; those that differ first. */
  readonly tables: readonly TableRows[];
}

/** Compares the rows of each table with those that were counted in the dump. */
export function compareRows(counts: RowCounts): ComparedRows {
  const before = rowsByTable(counts.before ?? []);
  const after = rowsByTable(counts.after);
  const estimates = new Set((counts.before ?? []).flatMap((each) => (each.exact ? [] : [each.table])));
  const dump = new Map(counts.dump.map(({ table, rows }) => [table, rows]));
  const stored = [...(counts.before ?? []), ...counts.after].map(({ table }) => table);
  const names = [...new Set([...dump.keys(), ...stored])].sort();
  const tables = names.map(
    (table): TableRows => ({
      table,
      before: before.get(table) ?? null,
      beforeIsEstimate: estimates.has(table),
      dump: dump.get(table) ?? null,
      after: after.get(table) ?? null,
    }),
  );
  const isOff = (rows: TableRows) => differs(rows, counts.appends) || isGone(rows.table, dump, after, counts);
  const rank = (rows: TableRows) => (isOff(rows) ? 0 : rows.before === rows.after ? 2 : 1);
  const ranked = [0, 1, 2].flatMap((place) => tables.filter((rows) => rank(rows) === place));
  return { check: rowCheck(ranked.filter(isOff), dump, after, counts.foreign), tables: ranked };
}

function rowCheck(
  off: readonly TableRows[],
  dump: ReadonlyMap<string, number | null>,
  after: ReadonlyMap<string, number | null>,
  foreign: ReadonlySet<string>,
): DumpCheck {
  const name = 'rows';
  if (off.length > 0)
    return { name, outcome: 'failed', detail: `Other than in the dump: ${someNames(off.map(said))}.` };
  const unknown = [...dump].filter(([table, rows]) => rows === null || (after.get(table) ?? null) === null);
  if (dump.size === 0) return { name, outcome: 'passed', detail: 'The dump holds rows of no table.' };
  const compared = dump.size - unknown.length;
  const sum = [...dump.values()].reduce<number>((rows, each) => rows + (each ?? 0), 0);
  if (unknown.length === 0) {
    return {
      name,
      outcome: 'passed',
      detail: `As in the dump: ${formatCounted(sum, 'row')} in ${formatCounted(compared, 'table')}.`,
    };
  }
  const why = someNames(
    unknown.map(([table, rows]) => {
      if (foreign.has(table)) return `${table} (lies on another server)`;
      return `${table} (${rows === null ? 'not counted in the dump' : 'the user may not read all of it'})`;
    }),
  );
  return {
    name,
    outcome: 'skipped',
    detail: `${formatCount(compared)} of ${formatCounted(dump.size, 'table')} compared; not ${why}.`,
  };
}

/** By table, and by tables that are partitioned into others. */
function rowsByTable(tables: readonly SurveyedTable[]): Map<string, number | null> {
  const rows = new Map<string, number | null>(tables.map((each) => [each.table, each.rows]));
  for (const { roots, rows: own } of tables) {
    for (const root of roots) {
      const sum = rows.get(root);
      rows.set(root, sum === null || own === null ? null : (sum ?? 0) + own);
    }
  }
  return rows;
}

function differs({ before, beforeIsEstimate, dump, after }: TableRows, appends: boolean): boolean {
  if (dump === null || after === null) return false;
  if (!appends) return after !== dump;
  return beforeIsEstimate ? after < dump : after !== dump + (before ?? 0);
}

function isGone(
  table: string,
  dump: ReadonlyMap<string, number | null>,
  after: ReadonlyMap<string, number | null>,
  { foreign }: RowCounts,
): boolean {
  return dump.has(table) && !after.has(table) && !foreign.has(table);
}

function said({ table, dump, after }: TableRows): string {
  const has = after === null ? 'is not there' : `has ${formatCount(after)}`;
  return `${table} ${has}${dump === null ? '' : ` (dump: ${formatCount(dump)})`}`;
}
