import { stageColumns } from '../../postgres/snapshot-stage.ts';
import { formatCount } from '../../restore/format.ts';
import { nameOf } from '../order/table-order.ts';
import type { StagedSnapshotTable } from './stage-snapshot.ts';

/** What of the columns of tables and snapshot is left as it is, for people. */
export function describeLeftOut(tables: readonly StagedSnapshotTable[]): string[] {
  return tables.flatMap(({ target, columns, dropped }) => {
    const present = new Set(columns.map(({ name }) => name));
    const missing = stageColumns(target).filter(({ name }) => !present.has(name));
    return [
      ...[...dropped].map(
        ([key, values]) =>
          `${nameOf(target)}: the table has no column ${key}; ${formatCount(values)} values of the snapshot are left out.`,
      ),
      ...missing.map(
        ({ name }) => `${nameOf(target)}: the snapshot has no column ${name}, which keeps what it has.`,
      ),
    ];
  });
}
