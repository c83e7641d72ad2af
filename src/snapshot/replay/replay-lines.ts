import type { FaultyChange, ReplayedTable, ReplayReport } from '../../contract/snapshot-replay.ts';
import { formatCount, formatCounted } from '../../restore/format.ts';

/** What a fault means, for people. */
const meanings: Readonly<Record<FaultyChange['fault'], string>> = {
  missing: 'changes a row that is not there',
  present: 'inserts a row that is there',
  differs: 'changes a row that was not what it says',
  incomplete: 'inserts a row without all of its columns',
  unordered: 'is one of several of one instant, and nothing tells which came first',
};

/** What a contradiction says, for people. */
export function faultLine({ schema, table, fault, record, operation, changedAt }: FaultyChange): string {
  return `${schema}.${table}, record ${record}: the ${operation} of ${changedAt} ${meanings[fault]}`;
}

/** Tables that are told one by one. */
const toldTables = 20;

/** What a replay did, for people: few lines, however many tables there are. */
export function replayLines({ to, log, tables, faults, notices }: ReplayReport): string[] {
  const count = ({ inserts, updates, deletes }: ReplayedTable) => inserts + updates + deletes;
  const all = tables.reduce((sum, table) => sum + count(table), 0);
  const changed = tables.filter((table) => count(table) > 0);
  const each = changed.map(
    ({ schema, table, inserts, updates, deletes }) =>
      `${schema}.${table}: ${formatCount(inserts)} INSERT, ${formatCount(updates)} UPDATE, ${formatCount(deletes)} DELETE`,
  );
  const rest = changed.length > toldTables ? [`… and of ${changed.length - toldTables} more tables`] : [];
  const untold = tables.reduce((sum, table) => sum + table.faults, 0) - faults.length;
  return [
    `Replayed up to ${to}: ${formatCounted(all, 'change')} of ${log.schema}.${log.table}`,
    ...each.slice(0, toldTables),
    ...rest,
    ...notices,
    ...faults.slice(0, toldTables).map(faultLine),
    ...(untold > 0 || faults.length > toldTables ? ['… and more changes that contradict others'] : []),
  ];
}
