/** One object of a dump, as its table of contents tells it. */
export interface TocEntry {
  /** Its number in the archive; in plain dumps, which give none, their order. */
  readonly dumpId: number;
  /** As pg_dump calls it: `TABLE`, `TABLE DATA`, `FK CONSTRAINT`, … */
  readonly kind: string;
  /** Null for what lies in no schema. */
  readonly schema: string | null;
  /** Of constraints, triggers and the like the name of the table stands before their own. Not quoted. */
  readonly name: string;
  /** Null where it has none, or the dump was made without owners. */
  readonly owner: string | null;
}

/**
 * The numbers of the entries whose data lie in files of their own, by the output of `pg_restore --list`. All else of
 * an entry is better taken from the script that pg_restore writes: here names with spaces cannot be told apart.
 */
export function entriesWithData(list: string): number[] {
  return Array.from(list.matchAll(/^(\d+); \d+ \d+ TABLE DATA /gm), ([, dumpId]) => Number(dumpId));
}
