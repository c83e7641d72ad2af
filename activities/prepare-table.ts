import { Context } from '@temporalio/activity';
import { Slicer } from '../src/archive/slicer.ts';
import type { Activities, PrepareTableInput } from '../src/contract/activities.ts';
import { ThawError } from '../src/contract/thaw-error.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { readTarget, type TargetTable } from '../src/postgres/catalog.ts';
import { dropIndexes, rebuildIndexes } from '../src/postgres/indexes.ts';
import { ensureSchema } from '../src/postgres/schema.ts';
import { takeTarget } from '../src/postgres/targets.ts';

/** Reads the catalog, takes the target, drops indexes when asked. */
export function prepareTable(thaw: ThawContext): Activities['prepareTable'] {
  return async (input) => {
    const { cancellationSignal, info } = Context.current();
    const { restoreId, table } = input.scope;
    const workflow = await temporalName();
    return thaw.withConnection(
      input.scope,
      `thaw/${restoreId}/prepare/${info.attempt}`,
      cancellationSignal,
      async (client) => {
        const target = await readTarget(client, table.intoSchema, table.intoTable);
        checkTarget(target, input);
        await ensureSchema(client);
        const held = await takeTarget(
          client,
          { restoreId, workflow },
          { oid: target.rootOid, schema: target.schema, table: target.table, ordered: target.hasUnique },
        );
        // What a dead holder had dropped comes back first, as a second drop would not know of it.
        const notices = await rebuildIndexes(client, target.oid);
        if (input.options.dropIndexes)
          notices.push(...(await dropIndexes(client, target, restoreId)).notices);
        return { target: held, notices: [...target.notices, ...keyNotice(target, input), ...notices] };
      },
    );
  };
}

/** Cluster, namespace and id of the workflow: the same again only once the one before has ended. */
async function temporalName(): Promise<string> {
  const { client, info } = Context.current();
  const { clusterId } = await client.workflowService.getClusterInfo({});
  return `${clusterId}/${info.workflowNamespace}/${info.workflowExecution?.workflowId}`;
}

/** Refuses what every archive would fail with. */
function checkTarget(target: TargetTable, { options }: PrepareTableInput): void {
  const object = `${target.schema}.${target.table}`;
  const writable = target.columns.filter((column) => column.generated === null);
  // Names a column whose type cannot be encoded.
  new Slicer(
    writable.map(({ name, type }) => ({ name, key: name, type })),
    {},
  );
  const updates = options.conflictStrategy === 'overwrite' || options.conflictStrategy === 'upsert';
  if (updates && target.conflictKey === null) {
    throw new ThawError(
      'SchemaIncompatible',
      `${object}: ${options.conflictStrategy} needs a primary key or a unique index of plain columns to find rows by.`,
      { object, hint: 'Add one, or use --conflict-strategy skip or fail.' },
    );
  }
}

function keyNotice(target: TargetTable, { options }: PrepareTableInput): string[] {
  if (target.hasUnique || options.conflictStrategy !== 'skip') return [];
  return [
    `${target.schema}.${target.table} has no key, so no row conflicts with another: every archived row is inserted.`,
  ];
}
