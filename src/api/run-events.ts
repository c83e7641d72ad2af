import { setTimeout as sleep } from 'node:timers/promises';
import { isEnded } from '../contract/progress.ts';
import type { ControlDatabase } from '../control/control-database.ts';
import { type LogRow, listLogs } from '../control/logs.ts';
import type { StoredRun } from '../control/runs.ts';
import { type Caller, visibleTenant } from './caller.ts';
import { toLogRecord } from './log-record.ts';
import { toRunRecord } from './run-record.ts';
import type { Runs } from './runs.ts';

/** A server-sent event. One without an id keeps that of the event before, from which a reader goes on. */
export interface RunEvent {
  readonly event: 'log' | 'progress' | 'end';
  readonly id?: string;
  readonly data: string;
}

/** What follows a run. */
export interface RunEventsDependencies {
  readonly control: ControlDatabase;
  readonly runs: Runs;
}

/** Where a reader goes on: after this line of the log. */
export interface EventsFrom {
  readonly runId: string;
  readonly caller: Caller;
  /** 0: from the first line. */
  readonly afterLog: number;
}

/** Milliseconds between two looks at a run. */
const pause = 1000;
/** Lines of the log that are read at once. */
const linesAtOnce = 500;

/**
 * What happens in a run until it has ended: each line of its log once, its record when that has changed, and its
 * record at the end.
 *
 * @param found the run as it was found
 * @param signal ends it before
 */
export async function* runEvents(
  dependencies: RunEventsDependencies,
  { runId, caller, afterLog }: EventsFrom,
  found: StoredRun,
  signal: AbortSignal,
): AsyncGenerator<RunEvent> {
  let last = afterLog;
  let shown = '';
  for (let run = found; !signal.aborted; run = await dependencies.runs.record(runId, caller)) {
    // After the record: what was said before the end is told before it.
    for await (const line of newLines(dependencies.control, { runId, caller, afterLog: last })) {
      last = line.id;
      yield { event: 'log', id: String(line.id), data: JSON.stringify(toLogRecord(line)) };
    }
    const data = JSON.stringify(toRunRecord(run));
    if (isEnded(run.state)) {
      yield { event: 'end', id: endId, data };
      return;
    }
    if (data !== shown) yield { event: 'progress', data };
    shown = data;
    await sleep(pause, null, { signal, ref: false }).catch(() => {});
  }
}

/** Id of the last event: whoever has it has seen all. */
export const endId = 'end';

async function* newLines(
  control: ControlDatabase,
  { runId, caller, afterLog }: EventsFrom,
): AsyncGenerator<LogRow> {
  const tenant = visibleTenant(caller);
  for (let last = afterLog, more = true; more; ) {
    const where = [{ run_id: runId, id: { $gt: last } }];
    const query = { where, order: [], limit: linesAtOnce, offset: 0, includeTrashed: true };
    const page = await control.use((client) => listLogs(client, query, tenant));
    yield* page.rows;
    last = page.rows.at(-1)?.id ?? last;
    more = page.more;
  }
}
