import { Context } from '@temporalio/activity';
import { configuredTables, findDatabase } from '../src/config/database-config.ts';
import type { Activities } from '../src/contract/activities.ts';
import type { TableRequest } from '../src/contract/restore-request.ts';
import { ThawError } from '../src/contract/thaw-error.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { type ForeignKey, readForeignKeys, type TableName } from '../src/postgres/foreign-keys.ts';
import { writeRestore } from '../src/postgres/restores.ts';
import { ensureSchema } from '../src/postgres/schema.ts';
import { withHeartbeats } from './heartbeat.ts';

/**
 * Checks the request against the worker's own configuration, writes it into the target database and
 * orders the tables by their foreign keys.
 *
 * @param searchAttributes whether they are registered
 */
export function planRestore(thaw: ThawContext, searchAttributes: boolean): Activities['planRestore'] {
  return async (request) => {
    const { cancellationSignal, info } = Context.current();
    thaw.checkFingerprint(request);
    const tables = request.tables ?? configuredTables(findDatabase(thaw.config, request.database));
    if (tables.length === 0) {
      throw new ThawError('InputInvalid', `${request.database}: no table is asked for or configured.`, {
        object: request.database,
      });
    }
    const keys = await withHeartbeats(
      () => 'planning',
      () =>
        thaw.withConnection(request, `thaw/${request.restoreId}/plan`, cancellationSignal, async (client) => {
          await ensureSchema(client);
          const found = await readForeignKeys(client, tables.map(targetOf));
          // Last: a plan that fails must leave no restore that seems to run.
          const workflowId = info.workflowExecution?.workflowId ?? null;
          await writeRestore(client, { request, state: 'running', outcome: null, workflowId });
          return found;
        }),
    );
    return {
      searchAttributes,
      tables: tables.map((table) => ({ table, parents: parentsOf(table, tables, keys) })),
    };
  };
}

/**
 * Places of the tables that must come before one. Where foreign keys go round in a circle, the one that is
 * asked for first does not wait for the others.
 */
function parentsOf(
  table: TableRequest,
  tables: readonly TableRequest[],
  keys: readonly ForeignKey[],
): number[] {
  const place = tables.indexOf(table);
  return tables.flatMap((parent, index) => {
    const refers = keys.some((key) => same(key.child, targetOf(table)) && same(key.parent, targetOf(parent)));
    if (!refers || index === place) return [];
    const circle = reaches(targetOf(parent), targetOf(table), keys);
    return circle && place < index ? [] : [index];
  });
}

function reaches(from: TableName, to: TableName, keys: readonly ForeignKey[]): boolean {
  const seen: TableName[] = [];
  const open = [from];
  for (let table = open.pop(); table !== undefined; table = open.pop()) {
    const current = table;
    if (same(current, to)) return true;
    if (seen.some((other) => same(other, current))) continue;
    seen.push(current);
    open.push(...keys.filter((key) => same(key.child, current)).map((key) => key.parent));
  }
  return false;
}

function targetOf(table: TableRequest): TableName {
  return { schema: table.intoSchema, table: table.intoTable };
}

function same(a: TableName, b: TableName): boolean {
  return a.schema === b.schema && a.table === b.table;
}
