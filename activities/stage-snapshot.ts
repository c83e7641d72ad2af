import { Context } from '@temporalio/activity';
import type { Activities } from '../src/contract/activities.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { dropDeadPreviewStages } from '../src/postgres/preview-stage.ts';
import { snapshotSessions, stageSchema } from '../src/postgres/snapshot-stage.ts';
import { endSessions } from '../src/postgres/targets.ts';
import { isExact } from '../src/restore/schema-plan.ts';
import { nameOf } from '../src/snapshot/order/table-order.ts';
import { replayLines } from '../src/snapshot/replay/replay-lines.ts';
import { chooseTables } from '../src/snapshot/restore/choose-tables.ts';
import { describeLeftOut } from '../src/snapshot/restore/left-out.ts';
import { openSnapshot } from '../src/snapshot/restore/open-snapshot.ts';
import { stageSnapshot as stage } from '../src/snapshot/restore/stage-snapshot.ts';
import { stagedRef } from '../src/snapshot/restore/staged-refs.ts';
import { connector, inSession, placeOf, withHistory } from './snapshot-tools.ts';

/** Connections that rows are copied on at the same time. */
const connections = 4;

/** Copies the rows of a snapshot into tables of a schema of their own; an attempt begins anew. */
export function stageSnapshot(thaw: ThawContext): Activities['stageSnapshot'] {
  return async ({ request }) => {
    const { cancellationSignal: signal } = Context.current();
    const connect = connector(thaw, request, 'stage', signal);
    const site = { place: placeOf(thaw), connect, signal };
    await inSession(thaw, request, 'begin', signal, async (client) => {
      await dropDeadPreviewStages(client);
      return endSessions(client, snapshotSessions(request));
    });
    return withHistory(thaw, request, signal, async (history) => {
      const { snapshot, chosen } = await inSession(thaw, request, 'open', signal, async (client) => {
        const opened = await openSnapshot(request.source, site, client);
        return { snapshot: opened, chosen: await chooseTables(client, opened, request) };
      });
      const names = new Map(chosen.map(({ opened }) => [opened.name, nameOf(opened)]));
      history.expect(chosen.map(({ opened }) => ({ table: nameOf(opened), rows: opened.rows })));
      history.staging();
      const notices: string[] = [];
      const tables = await stage(snapshot, chosen, {
        ...{ schema: stageSchema(request.restoreId), connections, connect, signal },
        exact: isExact(request),
        pointInTime: request.pointInTime ?? null,
        onReplayed: (report) => notices.push(...replayLines(report)),
        onRows: (source, rows) => history.rows(names.get(source) ?? source, rows),
      });
      history.staged();
      return { tables: tables.map(stagedRef), notices: [...notices, ...describeLeftOut(tables)] };
    });
  };
}
