import type { ServiceConfig } from '../../config/thaw-config.ts';
import { withDatabase } from '../../postgres/connect-database.ts';
import { dumpSessionPrefix } from '../../postgres/database-lock.ts';
import { type SwappedBack, swapBack } from './swap.ts';

/** Which database of a service is to be the one again that it was before. */
export interface SwapBackOrder {
  readonly service: ServiceConfig;
  /** The service's own, or one that a dump was restored into. */
  readonly database: string;
  /** Names the swapping back: the same again finds it done. */
  readonly restoreId: string;
}

/** What was live until now is kept for a day at least, and is not dropped by itself. */
const keepOldSeconds = 86_400;

/** Undoes the last swap of a database of a service, as {@link swapBack} does. */
export function swapServiceBack(
  { service, database, restoreId }: SwapBackOrder,
  env: NodeJS.ProcessEnv,
): Promise<SwappedBack> {
  const maintenance = { ...service.connection, name: service.maintenance };
  const session = { applicationName: `${dumpSessionPrefix(restoreId)}back` };
  return withDatabase(maintenance, env, session, (client) =>
    swapBack(client, { database, restoreId, keepOldSeconds }),
  );
}
