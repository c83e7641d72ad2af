import type { TableRequest } from '../contract/restore-request.ts';
import type { TargetTable } from '../postgres/catalog.ts';

/** Of a table that is not there, and of which nothing is counted. */
export function toBeMade({ intoSchema, intoTable }: TableRequest): string {
  return `${intoSchema}.${intoTable} is not there and would be made: what becomes of its rows shows only in the restore.`;
}

/** Why nothing of a target can be counted beforehand; null where it can. */
export function uncountable(target: TargetTable): string | null {
  const object = `${target.schema}.${target.table}`;
  if (target.kind === 'view')
    return `${object} is a view: what becomes of its rows shows only in the restore.`;
  const [rule] = target.rules;
  if (rule !== undefined) {
    return `${object} has rule ${rule.name}: what becomes of its rows shows only in the restore.`;
  }
  return target.may.select
    ? null
    : `${object} may not be read by the user of Thaw, so nothing tells which rows are there.`;
}

/** What a restore may do otherwise than its rehearsal, as a line each. */
export function unforeseen(target: TargetTable, unfoundKeys: readonly string[]): string[] {
  const object = `${target.schema}.${target.table}`;
  const firing = target.triggersDisabled ? [] : target.triggers.filter(({ enabled }) => enabled);
  const triggers = firing.map(({ name }) => name);
  return [
    ...(triggers.length === 0
      ? []
      : [
          `Triggers of ${object} do not fire in a dry run; what they change, leave out or refuse is not counted: ${[...new Set(triggers)].join(', ')}.`,
        ]),
    ...(target.hasRowSecurity
      ? [
          `Row-level security of ${object} applies: rows that the user of Thaw may not see are not counted as there.`,
        ]
      : []),
    ...(target.kind === 'partitioned table' && target.hasUnique && target.keys.length === 0
      ? [`Keys of single partitions of ${object} are not looked at; conflicts by them are not counted.`]
      : []),
    ...(unfoundKeys.length === 0
      ? []
      : [
          `The archives do not have the columns of ${unfoundKeys.join(', ')}; conflicts by the values that they get there are not counted.`,
        ]),
  ];
}
