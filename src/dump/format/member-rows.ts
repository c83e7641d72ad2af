import { Damage } from '../../archive/damage.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { CopyRows } from './copy-rows.ts';
import { endMissing, PlainScan } from './plain-scan.ts';

/** The data of one table in a file of their own. */
export interface MemberRows {
  /** Null where they cannot be told for sure. */
  readonly rows: number | null;
  /** Whether they are the data of a COPY, and not INSERTs. */
  readonly isCopy: boolean;
}

const insert = 'INSERT INTO ';
const copyEnd = /^\n*$/;

/**
 * Counts the rows of a member of a tar or directory: the data of one COPY up to their `\.`, or INSERTs.
 *
 * @throws Damage for what is neither, as where it was cut short
 */
export async function countMember(chunks: AsyncIterable<Buffer>): Promise<MemberRows> {
  const copy = new CopyRows();
  let inserts: PlainScan | null = null;
  let begun = Buffer.alloc(0);
  let isBegun = false;
  /** What stands behind the `\.`; null before it came. */
  let behind: string | null = null;
  const take = (chunk: Buffer) => {
    inserts = inserts === null ? null : scanned(inserts, chunk);
    const end = behind === null ? copy.push(chunk) : 0;
    if (end !== -1) behind = (behind ?? '') + chunk.toString('latin1', end, end + insert.length);
  };
  for await (const chunk of chunks) {
    if (isBegun) {
      take(chunk);
      continue;
    }
    begun = Buffer.concat([begun, chunk]);
    if (begun.length < insert.length) continue;
    isBegun = true;
    if (begun.toString('latin1', 0, insert.length) === insert) inserts = new PlainScan('INSERTs');
    take(begun);
  }
  if (!isBegun) take(begun);
  if (behind !== null && copyEnd.test(behind)) return { rows: copy.rows, isCopy: true };
  const rows = inserts === null ? undefined : insertedRows(inserts);
  if (rows !== undefined) return { rows, isCopy: false };
  if (!isBegun && copyEnd.test(begun.toString('latin1'))) return { rows: 0, isCopy: false };
  throw new Damage('it ends in the middle of its rows');
}

/** A row of a COPY may begin as an INSERT does; then this comes upon what no INSERT holds. */
function scanned(scan: PlainScan, chunk: Buffer): PlainScan | null {
  try {
    scan.push(chunk);
    return scan;
  } catch (error) {
    if (error instanceof ThawError) return null;
    throw error;
  }
}

/** Undefined where the last statement has no end. */
function insertedRows(scan: PlainScan): number | null | undefined {
  const { cut, tables } = scan.end();
  if (cut !== endMissing) return undefined;
  return tables.reduce<number | null>(
    (sum, { rows }) => (sum === null || rows === null ? null : sum + rows),
    0,
  );
}
