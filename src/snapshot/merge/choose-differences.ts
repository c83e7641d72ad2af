import type pg from 'pg';
import type { SnapshotDifference } from '../../contract/snapshot-difference.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { Differences } from '../../postgres/snapshot-differences.ts';
import { createChosen, keepChosen, noteChosen } from '../../postgres/snapshot-rows.ts';
import { aboutObject, tableName } from './staged-check.ts';

/**
 * Leaves of the differences of tables those that were chosen.
 *
 * @throws ThawError `InputInvalid` for a table that is not among them; `ConflictFound` where one is no difference any
 * more, or another one: its row was changed meanwhile; it names all tables that have such
 */
export async function chooseDifferences(
  client: pg.Client,
  tables: readonly Differences[],
  chosen: AsyncIterable<readonly SnapshotDifference[]>,
): Promise<void> {
  const lists: { readonly differences: Differences; readonly list: string }[] = [];
  for (const [place, differences] of tables.entries()) {
    lists.push({ differences, list: await aboutTable(differences, () => createChosen(client, place)) });
  }
  const byName = new Map(lists.map((one) => [nameOf(one.differences.staged.target), one]));
  for await (const some of chosen) {
    for (const [name, theirs] of byTable(some)) {
      const one = byName.get(name);
      if (one === undefined) throw notRestored(theirs[0]);
      await aboutTable(one.differences, () => noteChosen(client, one.list, one.differences, theirs));
    }
  }
  const changed: string[] = [];
  for (const { differences, list } of lists) {
    const rows = await aboutTable(differences, () => keepChosen(client, list, differences));
    if (rows > 0) changed.push(`${tableName(differences.staged.target)} (${rows})`);
  }
  if (changed.length > 0) throw changedMeanwhile(changed);
}

function byTable(some: readonly SnapshotDifference[]): Map<string, SnapshotDifference[]> {
  const groups = new Map<string, SnapshotDifference[]>();
  for (const difference of some) {
    const name = nameOf(difference);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [difference]);
    else group.push(difference);
  }
  return groups;
}

function nameOf({ schema, table }: { readonly schema: string; readonly table: string }): string {
  return JSON.stringify([schema, table]);
}

function aboutTable<Result>({ staged }: Differences, work: () => Promise<Result>): Promise<Result> {
  return aboutObject(tableName(staged.target), work);
}

function notRestored(difference: SnapshotDifference | undefined): ThawError {
  const object = difference === undefined ? '' : `${difference.schema}.${difference.table}`;
  return new ThawError('InputInvalid', `${object}: a marked difference is of a table that is not restored.`, {
    object,
    stage: 'merge',
    hint: 'Restore its table as well, or take the mark away.',
  });
}

function changedMeanwhile(tables: readonly string[]): ThawError {
  const names = tables.join(', ');
  return new ThawError(
    'ConflictFound',
    `Marked rows have changed since the diff, or are not there: ${names}.`,
    {
      object: names,
      stage: 'merge',
      hint: 'Nothing was restored. Write the diff again, and mark what to take.',
    },
  );
}
