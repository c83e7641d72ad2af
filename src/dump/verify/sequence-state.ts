import type { NumberedColumn, SequencePosition } from '../../postgres/database-survey.ts';
import { quoted, tableName } from '../format/table-name.ts';

/**
 * Where a sequence is by the column that it numbers.
 *
 * ahead     its next value is beyond every value of the column.
 * behind    it is not, but values may repeat.
 * collides  it is not, and no two rows may have the same value: an insert is going to fail.
 * unknown   it could not be read.
 */
export type SequenceStanding = 'ahead' | 'behind' | 'collides' | 'unknown';

/** A sequence, its column and how they stand. */
export interface SequenceState {
  /** `schema.sequence`, as `tableName` writes names. */
  readonly sequence: string;
  /** `schema.table.column` */
  readonly column: string;
  /** Last value, as text; null where it could not be read. */
  readonly last: string | null;
  readonly standing: SequenceStanding;
}

/** @param position null: it could not be read */
export function sequenceState(numbered: NumberedColumn, position: SequencePosition | null): SequenceState {
  const { schema, sequence, tableSchema, table, column } = numbered;
  return {
    sequence: tableName(schema, sequence),
    column: `${tableName(tableSchema, table)}.${quoted(column)}`,
    last: position?.last ?? null,
    standing: position === null ? 'unknown' : standingOf(numbered, position),
  };
}

function standingOf(
  { increment, isUnique }: NumberedColumn,
  { last, isCalled, furthest }: SequencePosition,
): SequenceStanding {
  if (furthest === null) return 'ahead';
  const step = BigInt(increment);
  const next = isCalled ? BigInt(last) + step : BigInt(last);
  const isAhead = step > 0n ? next > BigInt(furthest) : next < BigInt(furthest);
  if (isAhead) return 'ahead';
  return isUnique ? 'collides' : 'behind';
}
