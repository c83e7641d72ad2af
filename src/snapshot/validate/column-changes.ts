import { readTypeName } from '../../archive/archived-type.ts';
import type { SchemaStrategy } from '../../contract/restore-request.ts';
import type { SnapshotColumn } from '../../contract/snapshot.ts';
import { isExact } from '../../restore/schema-plan.ts';
import { typeChange } from '../../restore/type-change.ts';

/** A column that is not as it was when the snapshot was taken. */
export interface ColumnChange {
  readonly column: string;
  /** What is different, and what that means for a restore. */
  readonly detail: string;
  /** A restore does not go on. */
  readonly refused: boolean;
}

/**
 * Compares the columns of a snapshot with those of the table by now, by name and type.
 *
 * strict, none  each difference is refused but one of NULL.
 * lenient       a column that either side lacks is left out, and a type may have changed where no value can come back
 *               as another one without an error.
 * transform     likewise, and every change of type is allowed.
 */
export function compareColumns(
  before: readonly SnapshotColumn[],
  now: readonly SnapshotColumn[],
  schemaStrategy: SchemaStrategy,
): ColumnChange[] {
  const isStrict = isExact({ schemaStrategy });
  const old = new Map(before.map((column) => [column.name, column]));
  const kept = new Set(now.map(({ name }) => name));
  return [
    ...now.flatMap((column) => {
      const was = old.get(column.name);
      return was === undefined ? gained(column, isStrict) : changed(was, column, schemaStrategy);
    }),
    ...before
      .filter(({ name }) => !kept.has(name))
      .map(({ name }) => ({
        column: name,
        detail: `the table does not have it any more${isStrict ? '' : '; its values are left out'}`,
        refused: isStrict,
      })),
  ];
}

function gained(
  { name: column, generated, notNull, default: value, identity }: SnapshotColumn,
  isStrict: boolean,
): ColumnChange[] {
  if (generated !== null) return [];
  const detail = 'the snapshot does not have it, the table has it now';
  if (isStrict) return [{ column, detail, refused: true }];
  if (notNull && value === null && identity === null) {
    return [{ column, detail: `${detail}, and refuses NULL without a default`, refused: true }];
  }
  return [
    { column, detail: `${detail}; rows that are there keep it, others get its default`, refused: false },
  ];
}

function changed(was: SnapshotColumn, now: SnapshotColumn, schemaStrategy: SchemaStrategy): ColumnChange[] {
  const isStrict = isExact({ schemaStrategy });
  const { name: column } = now;
  const changes: ColumnChange[] = [];
  if (was.generated === null && now.generated !== null) {
    const detail = `the table computes it now${isStrict ? '' : '; its values are left out'}`;
    return [{ column, detail, refused: isStrict }];
  }
  if (now.generated !== null) return [];
  if (was.type !== now.type) {
    const isLossy = typeChange(readTypeName(was.type), readTypeName(now.type)) === 'lossy';
    const means = isLossy ? ': values may be rounded, cut off or moved' : '; values are converted';
    const detail = `it was ${was.type} and is ${now.type}${isStrict ? '' : means}`;
    changes.push({ column, detail, refused: isStrict || (isLossy && schemaStrategy !== 'transform') });
  }
  if (!was.notNull && now.notNull) changes.push({ column, detail: 'it refuses NULL now', refused: false });
  return changes;
}
