import { Context } from '@temporalio/activity';
import { parseArchiveKey, tableFolders } from '../src/archive/key.ts';
import type { DrillActivities, DrillPlan } from '../src/contract/drill.ts';
import type { DumpRequest } from '../src/contract/dump-request.ts';
import type { RestoreRequest } from '../src/contract/restore-request.ts';
import { scratchDatabaseName, scratchMark, scratchSchemaName } from '../src/dump/swap/database-names.ts';
import { listPage } from '../src/load/listing.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { webhookOf } from '../src/notify/webhook.ts';
import { readDatabases } from '../src/postgres/databases.ts';
import { ensureSchema } from '../src/postgres/schema.ts';
import { createScratchSchema } from '../src/postgres/scratch-schema.ts';
import { withDumpTools } from './dump-tools.ts';

/** Compares the request with the worker's own configuration, names the scratch place, and makes a schema. */
export function planDrill(thaw: ThawContext): DrillActivities['planDrill'] {
  return async ({ drillId, request: { source } }) => {
    // That nobody could be told is known before there is something to tell.
    webhookOf(thaw.env);
    return source.kind === 'dump'
      ? planDump(thaw, drillId, source.request)
      : planArchives(thaw, drillId, source.request);
  };
}

function planDump(thaw: ThawContext, drillId: string, request: DumpRequest): Promise<DrillPlan> {
  return withDumpTools(thaw, { ...request, restoreId: drillId }, async ({ service, inMaintenance }) => {
    const { name } = service.connection;
    const scratch = scratchDatabaseName(name, drillId);
    const databases = await inMaintenance(readDatabases);
    const left = databases.filter((database) => database.name.startsWith(name + scratchMark));
    return {
      scratch,
      newest: null,
      notices: left.map((database) => `${database.name} is there, of a drill that runs, or was broken off.`),
    };
  });
}

async function planArchives(thaw: ThawContext, drillId: string, request: RestoreRequest): Promise<DrillPlan> {
  const { cancellationSignal: signal } = Context.current();
  const scratch = scratchSchemaName(drillId);
  await thaw.withConnection(request, `thaw/${drillId}/plan`, signal, async (client) => {
    await ensureSchema(client);
    await createScratchSchema(client, scratch);
  });
  return { scratch, newest: await newestArchive(thaw, request, signal), notices: [] };
}

/** The newest archive of the tables that its name tells the time of. */
async function newestArchive(
  { store, config }: ThawContext,
  { database, tables, options }: RestoreRequest,
  signal: AbortSignal,
): Promise<DrillPlan['newest']> {
  let newest: DrillPlan['newest'] = null;
  for (const { table, schema } of tables ?? []) {
    const folders = tableFolders(config.store.prefix, database, table, schema);
    const { startDate, endDate } = options;
    let cursor: string | null = null;
    do {
      const page = await listPage(store, { folders, startDate, endDate, signal }, cursor, 1000);
      const last = page.archives.at(-1);
      const takenAt = last === undefined ? null : timeOf(last.name);
      if (last !== undefined && takenAt !== null && (newest === null || takenAt > newest.takenAt)) {
        newest = { key: last.name, takenAt };
      }
      cursor = page.next;
    } while (cursor !== null);
  }
  return newest;
}

function timeOf(name: string): string | null {
  const { timestamp } = parseArchiveKey(name);
  const [, date, hour, minute, second] = /^(\d{8})T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp ?? '') ?? [];
  if (date === undefined) return null;
  const at = new Date(
    `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}T${hour}:${minute}:${second}Z`,
  );
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}
