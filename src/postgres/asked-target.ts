import type { RestoreOptions } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { TargetTable } from './catalog.ts';
import { chooseLateKey, findConflictKey } from './keys.ts';

/** What a request says of how rows meet those of the target. */
export type AskedOptions = Pick<RestoreOptions, 'conflictStrategy' | 'keyColumns' | 'disableTriggers'>;

/**
 * The target as a request wants it treated: its key, its triggers, and what the user should know of them.
 *
 * @throws ThawError for what every archive would fail with: `InputInvalid` for key columns that are not
 * there, `SchemaIncompatible` where the strategy is not possible, `PermissionDenied` where the triggers
 * are another one's
 */
export function askedTarget(catalog: TargetTable, options: AskedOptions): TargetTable {
  const target = withTriggers(withKey(catalog, options), options);
  checkUpdates(target, options);
  return {
    ...target,
    notices: [...catalog.notices, ...keyNotice(target, options), ...triggerNotice(target)],
  };
}

function withKey(target: TargetTable, { conflictStrategy, keyColumns }: AskedOptions): TargetTable {
  if (keyColumns === null) {
    const lateKey =
      updates(conflictStrategy) && target.conflictKey === null ? chooseLateKey(target.keys) : null;
    return lateKey === null ? target : compared(target, lateKey.columns, lateKey.nullsNotDistinct);
  }
  checkColumns(target, keyColumns);
  const conflictKey = findConflictKey(target.keys, keyColumns);
  if (conflictKey !== null) return { ...target, conflictKey };
  return compared(target, [...new Set(keyColumns)], false);
}

function compared(target: TargetTable, columns: readonly string[], nullsNotDistinct: boolean): TargetTable {
  return {
    ...target,
    comparedKey: { columns, nullsNotDistinct },
    hasUnique: true,
    stagedOnly: target.stagedOnly ?? { reason: `rows are told apart by ${columns.join(', ')}` },
  };
}

function checkColumns(target: TargetTable, columns: readonly string[]): void {
  const known = new Set(target.columns.map(({ name }) => name));
  const unknown = columns.filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  const object = nameOf(target);
  throw new ThawError(
    'InputInvalid',
    `${object}: it has no column ${unknown.join(', ')} to tell rows apart by.`,
    {
      object,
      hint: `Name columns of the table with --key: ${[...known].join(', ')}.`,
    },
  );
}

/** Without the table's triggers where that is asked for; none of them may leave rows out then. */
function withTriggers(target: TargetTable, { disableTriggers }: AskedOptions): TargetTable {
  if (!disableTriggers || !target.triggers.some(({ enabled }) => enabled)) return target;
  const object = nameOf(target);
  if (target.kind === 'view') {
    throw new ThawError('SchemaIncompatible', `${object}: it is a view, and takes rows by its triggers.`, {
      object,
      hint: 'Name the table behind it with --schema and --into-table, or leave --disable-triggers out.',
    });
  }
  if (!target.may.alter) {
    throw new ThawError('PermissionDenied', `${object}: only its owner may disable its triggers.`, {
      object,
      hint: 'Connect as the owner of the table and its partitions, or leave --disable-triggers out.',
    });
  }
  return {
    ...target,
    triggersDisabled: true,
    // The lock that it takes is held from the turn to the commit, so rows have to be there by then.
    stagedOnly: target.stagedOnly ?? { reason: 'its triggers are disabled while rows are merged' },
  };
}

function checkUpdates(target: TargetTable, { conflictStrategy }: AskedOptions): void {
  if (!updates(conflictStrategy)) return;
  const object = nameOf(target);
  if (target.conflictKey === null && target.comparedKey === null) {
    throw new ThawError(
      'SchemaIncompatible',
      `${object}: ${conflictStrategy} needs a primary key or a unique index of plain columns to find rows by.`,
      {
        object,
        hint: 'Name the columns that tell its rows apart with --key, or use --conflict-strategy skip or fail.',
      },
    );
  }
  const [rule] = target.rules;
  if (rule !== undefined) {
    throw new ThawError(
      'SchemaIncompatible',
      `${object}: ${conflictStrategy} is not possible beside rule ${rule.name}, as PostgreSQL has no "on conflict" there.`,
      { object, hint: 'Disable the rule, or use --conflict-strategy skip or fail.' },
    );
  }
}

function keyNotice(target: TargetTable, { conflictStrategy }: AskedOptions): string[] {
  if (target.hasUnique || conflictStrategy !== 'skip') return [];
  return [
    `${nameOf(target)} has no key, so no row conflicts with another: every archived row is inserted. Name the columns that tell its rows apart with --key, if there are any.`,
  ];
}

function triggerNotice(target: TargetTable): string[] {
  const firing = target.triggers.filter(({ enabled, timing }) => enabled && timing !== 'instead of');
  if (target.triggersDisabled || firing.length === 0) return [];
  const names = [...new Set(firing.map(({ name }) => name))].join(', ');
  return [
    `Triggers of ${nameOf(target)} fire on what is restored, and may change it: ${names}. --disable-triggers keeps them from it.`,
  ];
}

function updates(strategy: AskedOptions['conflictStrategy']): boolean {
  return strategy === 'overwrite' || strategy === 'upsert';
}

function nameOf({ schema, table }: TargetTable): string {
  return `${schema}.${table}`;
}
