import { Context } from '@temporalio/activity';
import type pg from 'pg';
import { tableFolders } from '../src/archive/key.ts';
import { rowRangeOf } from '../src/config/row-range.ts';
import type { Activities, PreparedTable, PrepareTableInput } from '../src/contract/activities.ts';
import type { WatermarkUpdates } from '../src/contract/watermark.ts';
import { checkTarget } from '../src/load/check-target.ts';
import { makeTables } from '../src/load/make-tables.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { findForeignWatermark, trustWatermark } from '../src/load/trusted-watermark.ts';
import { askedTarget } from '../src/postgres/asked-target.ts';
import { readTarget, type TargetTable } from '../src/postgres/catalog.ts';
import { readCreated } from '../src/postgres/created-tables.ts';
import { type BuildProgress, rebuildIndexes } from '../src/postgres/rebuild-indexes.ts';
import { ensureSchema } from '../src/postgres/schema.ts';
import { takeTarget } from '../src/postgres/targets.ts';
import { readTimeRange } from '../src/postgres/time-range.ts';
import { unkeptNotices } from '../src/postgres/unkept-rows.ts';
import { isPartial } from '../src/restore/partial.ts';
import { dropWhereItPays } from './drop-where-it-pays.ts';
import { withHeartbeats } from './heartbeat.ts';
import { indexBuilders } from './index-builders.ts';
import { namedAgain } from './named-again.ts';
import { temporalName } from './temporal-name.ts';

/** Reads the catalog, takes the target, drops indexes when asked. */
export function prepareTable(thaw: ThawContext): Activities['prepareTable'] {
  return async (input) => {
    const { info } = Context.current();
    const { restoreId } = input.scope;
    const workflow = await temporalName();
    // Broken off by a cancellation, it would leave a target taken and indexes dropped that nobody knows of.
    const { signal } = new AbortController();
    let indexes: BuildProgress | null = null;
    const onProgress = (progress: BuildProgress) => {
      indexes = progress;
    };
    return withHeartbeats(
      () => (indexes === null ? 'preparing' : { stage: 'preparing', indexes }),
      () =>
        thaw.withConnection(input.scope, `thaw/${restoreId}/prepare/${info.attempt}`, signal, (client) =>
          prepare(thaw, client, input, workflow, onProgress),
        ),
    );
  };
}

async function prepare(
  thaw: ThawContext,
  client: pg.Client,
  input: PrepareTableInput,
  workflow: string,
  onProgress: (progress: BuildProgress) => void,
): Promise<PreparedTable> {
  const { scope, options } = input;
  const { restoreId, table } = scope;
  await ensureSchema(client);
  if (options.createTable) await makeTable(thaw, client, input);
  const target = askedTarget(await readTarget(client, table.intoSchema, table.intoTable), options);
  checkTarget(target, options);
  const range = rowRangeOf(thaw.config, scope, options);
  if (range !== null) await readTimeRange(client, target, range);
  const unkept = await unkeptNotices(client, target, options);
  const foreign = await findForeignWatermark(thaw, client, input, target.rootOid);
  const held = await takeTarget(
    client,
    { restoreId, workflow },
    { oid: target.rootOid, schema: target.schema, table: target.table, ordered: target.hasUnique },
  );
  // What a dead holder had dropped comes back first, as a second drop would not know of it.
  const withBuilder = indexBuilders(thaw, scope, held.oid, new AbortController().signal);
  const notices = await rebuildIndexes(client, target.oid, { withBuilder, onProgress });
  notices.push(...foreign.notices);
  if (foreign.watermark !== null) {
    const ledger = { ...ledgerOf(thaw, input), target: held };
    const { signal } = new AbortController();
    notices.push(await trustWatermark(thaw.store, client, ledger, foreign.watermark, signal));
  }
  notices.push(...(await namedAgain(thaw, client, held, input)));
  notices.push(...(await dropWhereItPays(thaw, client, target, held, input)));
  return {
    target: held,
    watermark: watermarkUpdates(thaw, input),
    notices: [
      ...(await creationNotices(client, restoreId, target)),
      ...target.notices,
      ...unkept,
      ...notices,
    ],
  };
}

/** Makes a table that is not there yet; most were made together with the others of the restore. */
async function makeTable(thaw: ThawContext, client: pg.Client, input: PrepareTableInput): Promise<void> {
  const { restoreId, database, table } = input.scope;
  const request = { restoreId, database, keys: input.keys, options: input.options };
  const { signal } = new AbortController();
  const failures = await makeTables(thaw, client, request, [table], [table], signal);
  for (const error of failures.values()) throw error;
}

/** A later attempt tells them as well, though the table is there by then. */
async function creationNotices(
  client: pg.Client,
  restoreId: string,
  { oid, schema, table }: TargetTable,
): Promise<string[]> {
  const created = await readCreated(client, restoreId, oid);
  if (created === null) return [];
  return [`${schema}.${table} was made from the schema in ${created.key}.`, ...created.leftOut];
}

/** Archives named by their keys, and parts of archives, say nothing of how far a table is restored. */
function watermarkUpdates(thaw: ThawContext, { options, keys }: PrepareTableInput): WatermarkUpdates {
  const { enabled, updateAfterEachArchive } = thaw.config.restoreWatermark;
  if (!enabled || keys !== null || isPartial(options)) return 'never';
  return updateAfterEachArchive ? 'each' : 'end';
}

function ledgerOf(thaw: ThawContext, { scope }: PrepareTableInput) {
  const { table, schema } = scope.table;
  const folders = tableFolders(thaw.config.store.prefix, scope.database, table, schema);
  return { restoreId: scope.restoreId, store: thaw.store.name, folders };
}
