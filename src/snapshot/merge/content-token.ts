import { createHash } from 'node:crypto';
import type pg from 'pg';
import { ThawError } from '../../contract/thaw-error.ts';
import { readContentMark, type TablePart } from '../../postgres/table-content.ts';
import { tableName } from './staged-check.ts';

/** Bytes that the token has of each table: two contents share them by chance once in 2^64. */
const markBytes = 8;

/**
 * What tells the content of tables, or of the tenant's part of them, from any later one: a mark of which tables they
 * are, and one of each, so that it is known which of them has changed.
 *
 * @throws what PostgreSQL answers, raw
 */
export async function contentToken(client: pg.Client, tables: readonly TablePart[]): Promise<string> {
  const ordered = inOrder(tables);
  const marks = [markOf(ordered.map(nameAndPart))];
  for (const staged of ordered) {
    const { rows, sum } = await readContentMark(client, staged);
    marks.push(markOf([staged.target.oid, rows, sum]));
  }
  return Buffer.concat(marks).toString('base64url');
}

/**
 * Refuses tables that were changed since their token was taken, and names them.
 *
 * @param now their token by now
 * @param undoes the restore that left them as the token tells; null: a preview has told it
 * @throws ThawError `ConflictFound`; `InputInvalid` for a token of other tables, or of another part of them
 */
export function refuseChanged(
  tables: readonly TablePart[],
  token: string,
  now: string,
  undoes: string | null = null,
): void {
  const [told, found] = [marksOf(token), marksOf(now)];
  if (told.length !== found.length || told[0] !== found[0]) throw otherTables();
  const changed = inOrder(tables).filter((_, place) => told[place + 1] !== found[place + 1]);
  if (changed.length === 0) return;
  const names = changed.map(({ target }) => tableName(target)).join(', ');
  throw new ThawError(
    'ConflictFound',
    `Changed since ${undoes === null ? 'the preview' : `restore ${undoes}`}: ${names}.`,
    {
      object: names,
      stage: 'merge',
      hint:
        undoes === null
          ? 'Nothing was restored. Preview again, of the same tables, and restore with the token that it gives.'
          : 'Nothing was undone. With --force (over the API "force": true) these changes are lost with it.',
    },
  );
}

/** By name, as a preview and its restore may have them in another order. */
function inOrder(tables: readonly TablePart[]): TablePart[] {
  return [...tables].sort((a, b) => (nameAndPart(a) < nameAndPart(b) ? -1 : 1));
}

function nameAndPart({ target, tenant }: TablePart): string {
  return JSON.stringify([target.schema, target.table, tenant && [tenant.column, tenant.value]]);
}

function markOf(facts: readonly unknown[]): Buffer {
  return createHash('sha256').update(JSON.stringify(facts)).digest().subarray(0, markBytes);
}

function marksOf(token: string): string[] {
  const bytes = Buffer.from(token, 'base64url');
  const count = Math.ceil(bytes.length / markBytes);
  return Array.from({ length: count }, (_, place) =>
    bytes.subarray(place * markBytes, (place + 1) * markBytes).toString('hex'),
  );
}

function otherTables(): ThawError {
  return new ThawError('InputInvalid', '--if-unchanged: its token is of other tables, or of another part.', {
    object: '--if-unchanged',
    stage: 'merge',
    hint: 'Nothing was restored. Preview the same tables, with the same --where, and use the token that it gives.',
  });
}
