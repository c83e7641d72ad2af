import { setTimeout as sleep } from 'node:timers/promises';
import type { DevEnvironment } from './dev.ts';

/** What the demo reads of `GET /api/runs/{runId}`. */
export interface DemoRun {
  readonly run_id: string;
  readonly state: string;
  readonly progress: number;
  readonly archives: { readonly done: number; readonly total: number | null };
  readonly counts: {
    readonly archives_restored: number;
    readonly archives_failed: number;
    readonly records_inserted: number;
    readonly records_updated: number;
    readonly records_skipped: number;
    readonly records_failed: number;
  };
  readonly failures: readonly { readonly archive: string; readonly message: string }[];
  readonly error: { readonly message: string } | null;
}

const ended = ['completed', 'completed_with_failures', 'failed', 'cancelled'];

/** Asks the API for a restore and follows it to its end, with a line for each step of progress. */
export async function restoreThroughApi(
  env: DevEnvironment,
  request: { readonly name: string; readonly tables: readonly string[] },
  print: (line: string) => void,
  signal: AbortSignal,
): Promise<DemoRun> {
  const body = { database: request.name, tables: request.tables, conflict_strategy: 'skip' };
  print(`POST /api/restores ${JSON.stringify(body)}`);
  const { run_id: id } = await ask<{ run_id: string }>(env, '/api/restores', signal, body);
  let shown = '';
  for (;;) {
    const run = await ask<DemoRun>(env, `/api/runs/${id}`, signal);
    const line = progressLine(run);
    if (line !== shown) print(line);
    shown = line;
    if (ended.includes(run.state)) {
      for (const { archive, message } of run.failures) print(`  failed: ${archive}: ${message}`);
      if (run.error !== null) print(`  failed: ${run.error.message}`);
      return run;
    }
    await sleep(200, null, { signal });
  }
}

function progressLine({ state, progress, archives, counts }: DemoRun): string {
  const rows = counts.records_inserted + counts.records_updated + counts.records_skipped;
  return `  ${state}: ${progress} %, ${archives.done} of ${archives.total ?? '?'} archives, ${rows.toLocaleString('en-US')} rows`;
}

async function ask<T>(env: DevEnvironment, where: string, signal: AbortSignal, body?: unknown): Promise<T> {
  const answer = await fetch(`${env.THAW_API_URL}${where}`, {
    signal,
    headers: { authorization: `Bearer ${env.THAW_TOKEN}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${where} answered ${answer.status}: ${text}`);
  return (JSON.parse(text) as { data: T }).data;
}
