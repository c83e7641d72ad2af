import type { TableScope } from '../src/contract/activities.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import type { BuildTools } from '../src/postgres/rebuild-indexes.ts';
import { loadPrefix } from '../src/postgres/targets.ts';

/**
 * Connections that build indexes of a table, under the name of a load, so that the target counts as held
 * for as long as that takes.
 *
 * @param oid what the restore has taken
 */
export function indexBuilders(
  thaw: ThawContext,
  scope: TableScope,
  oid: number,
  signal: AbortSignal,
): BuildTools['withBuilder'] {
  const prefix = loadPrefix(scope.restoreId, oid, 0);
  return (place, action) => thaw.withConnection(scope, `${prefix}index.${place}`, signal, action);
}
