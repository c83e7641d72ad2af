import type pg from 'pg';
import type { SnapshotDifference } from '../../contract/snapshot-difference.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { Differences } from '../../postgres/snapshot-differences.ts';
import { createChosen, keepChosen, noteChosen } from '../../postgres/snapshot-rows.ts';
import { aboutObject, tableName } from './staged-check.ts';

/**
 * Leaves of the differences of tables those that were chosen.
 *
 * @throws ThawError `InputInvalid` for a table that is not among them; `SchemaIncompatible` for one without a key;
 * `ConflictFound` where one is no difference any more, or another one: its row was changed meanwhile
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
      if (one.differences.key === null) throw noKey(one.differences);
      await aboutTable(one.differences, () => noteChosen(client, one.list, one.differences, theirs));
    }
  }
  for (const { differences, list } of lists) {
    const changed = await aboutTable(differences, () => keepChosen(client, list, differences));
    if (changed > 0) throw changedMeanwhile(differences, changed);
  }
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

function noKey({ staged }: Differences): ThawError {
  const object = tableName(staged.target);
  return new ThawError('SchemaIncompatible', `${object}: it has no key, so its rows cannot be chosen.`, {
    object,
    stage: 'merge',
    hint: 'Take the marks of this table away, or restore it as a whole with overwrite.',
  });
}

function changedMeanwhile({ staged }: Differences, rows: number): ThawError {
  const object = tableName(staged.target);
  return new ThawError(
    'ConflictFound',
    `${object}: ${rows} of the marked rows have changed since the diff.`,
    {
      object,
      stage: 'merge',
      hint: 'Nothing was restored. Write the diff again, and mark what to take.',
    },
  );
}
