import type pg from 'pg';
import type { TargetTable } from '../postgres/catalog.ts';
import { countDangling, type Reference, readReferences } from '../postgres/dangling-rows.ts';
import type { Shadow } from '../postgres/shadow.ts';
import { databaseError } from '../postgres/sqlstate.ts';
import { formatCount } from '../restore/format.ts';

/** A table and all that a restore would have brought into it. */
export interface ShadowedTable {
  readonly target: TargetTable;
  readonly shadow: Shadow;
}

/**
 * Tells which rows would break a foreign key of a table, a line for each; a shadow has no foreign keys. They are
 * counted as if they did not.
 *
 * @param all tables of the restore: what it brings into them counts as being there
 */
export async function describeDangling(
  client: pg.Client,
  { target, shadow }: ShadowedTable,
  all: readonly ShadowedTable[],
): Promise<string[]> {
  try {
    const lines: string[] = [];
    for (const reference of await readReferences(client, target.oid)) {
      const { oid } = reference.parent;
      const parent =
        all.find((each) => each.target.oid === oid || each.target.rootOid === oid)?.shadow ?? null;
      if (!reference.readable) lines.push(unread(reference));
      else {
        const rows = await countDangling(client, shadow, reference, parent);
        if (rows > 0) lines.push(broken(reference, rows));
      }
    }
    return lines;
  } catch (error) {
    throw databaseError(error, { object: `${target.schema}.${target.table}` });
  }
}

function broken({ name, parent }: Reference, rows: number): string {
  const subject = rows === 1 ? '1 row refers' : `${formatCount(rows)} rows refer`;
  return `${subject} by foreign key ${name} to rows of ${parent.schema}.${parent.table} that are not there: archives with such rows fail, or put them aside as far as --max-rejects allows.`;
}

function unread({ name, parent }: Reference): string {
  return `Foreign key ${name} is not checked beforehand, as the user of Thaw may not read ${parent.schema}.${parent.table}.`;
}
