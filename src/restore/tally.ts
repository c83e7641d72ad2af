import type { ArchiveCounts, RowCounts, Tally } from '../contract/outcome.ts';

/** Nothing done yet. */
export const emptyTally: Tally = {
  archives: { restored: 0, earlier: 0, failed: 0 },
  rows: { inserted: 0, updated: 0, skipped: 0, failed: 0 },
  bytes: 0,
};

/** Adds up what loads, tables or restores did. */
export function addTallies(a: Tally, b: Tally): Tally {
  return {
    archives: addArchives(a.archives, b.archives),
    rows: addRows(a.rows, b.rows),
    bytes: a.bytes + b.bytes,
  };
}

/** Archives that are decided, whichever way. */
export function archivesDone(tally: Tally): number {
  const { restored, earlier, failed } = tally.archives;
  return restored + earlier + failed + foreignArchives(tally.archives);
}

/** Archives of other schemas that were left out. */
export function foreignArchives({ foreign = {} }: ArchiveCounts): number {
  return Object.values(foreign).reduce((sum, count) => sum + count, 0);
}

/** Archives failed, or rows were left out of restored ones: the table lacks something of what was archived. */
export function isIncomplete({ archives, rows }: Tally): boolean {
  return archives.failed > 0 || rows.failed > 0;
}

/** Rows that came into the table or changed there: "Records restored" of the summary. */
export function rowsRestored(rows: RowCounts): number {
  return rows.inserted + rows.updated;
}

function addArchives(a: ArchiveCounts, b: ArchiveCounts): ArchiveCounts {
  return {
    restored: a.restored + b.restored,
    earlier: a.earlier + b.earlier,
    failed: a.failed + b.failed,
    ...addForeign(a.foreign, b.foreign),
  };
}

function addForeign(
  a: ArchiveCounts['foreign'],
  b: ArchiveCounts['foreign'],
): Pick<ArchiveCounts, 'foreign'> {
  if (a === undefined && b === undefined) return {};
  const foreign: Record<string, number> = { ...a };
  for (const [schema, count] of Object.entries(b ?? {})) foreign[schema] = (foreign[schema] ?? 0) + count;
  return { foreign };
}

function addRows(a: RowCounts, b: RowCounts): RowCounts {
  return {
    inserted: a.inserted + b.inserted,
    updated: a.updated + b.updated,
    skipped: a.skipped + b.skipped,
    failed: a.failed + b.failed,
  };
}
