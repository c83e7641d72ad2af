import type { DatabasesBeside } from '../dump/swap/databases-beside.ts';
import { quoteIdentifier } from '../postgres/identifier.ts';

/** What Thaw has beside the database of a service, and how each goes away. */
export function besideLines(service: string, { kept, loaded }: DatabasesBeside, now: number): string[] {
  return [
    ...kept.map(({ name, record: { replacedAt, dropAt } }, place) => {
      const until = Date.parse(dropAt) > now ? `until ${dropAt}` : `its time is over since ${dropAt}`;
      const back = place === 0 ? `; live again by: thaw swap-back ${service}` : '';
      return `Kept: ${name}, replaced at ${replacedAt}, ${until}${back}`;
    }),
    ...(kept.length === 0
      ? []
      : [`Drop those whose time is over by: thaw drop-old ${service} (--now: all of them)`]),
    ...loaded.map(
      ({ name, record }) =>
        `Loaded by restore ${record.restore}, and not live: ${name}; where that does not run any more: ` +
        `drop database ${quoteIdentifier(name)}`,
    ),
  ];
}

/** The same for programs. */
export function besideJson({ kept, loaded }: DatabasesBeside) {
  return {
    kept: kept.map(({ name, record: { restore, replacedAt, dropAt } }) => ({
      ...{ name, restoreId: restore, replacedAt, dropAt },
    })),
    loaded: loaded.map(({ name, record }) => ({ name, restoreId: record.restore })),
  };
}
