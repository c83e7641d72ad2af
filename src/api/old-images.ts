import type { ThawConfig } from '../config/thaw-config.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import { removeOldImages } from '../postgres/old-images.ts';

/** Milliseconds from one look at the target databases to the next. */
const every = 3_600_000;

/**
 * Removes from the target databases what restores have kept to be undone, as long as runs are kept.
 *
 * @param seconds that it is kept
 * @returns what does so, at most once in an hour
 */
export function imageRemoval(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  seconds: number,
): () => Promise<number> {
  let due = Date.now() + every;
  return async () => {
    if (Date.now() < due) return 0;
    due = Date.now() + every;
    let removed = 0;
    for (const database of config.databases) {
      removed += await withDatabase(database, env, { applicationName: 'thaw/upkeep' }, (client) =>
        removeOldImages(client, seconds),
      );
    }
    return removed;
  };
}
