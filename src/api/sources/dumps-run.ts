import type { DumpClient } from '../../client/dump-client.ts';
import type { RestoreDescription } from '../../client/restore-client.ts';
import { isTemporalUnavailable } from '../../client/temporal-error.ts';
import {
  type DumpOutcome,
  type DumpProgress,
  type DumpStep,
  dumpSteps,
  maxTablesReported,
} from '../../contract/dump-activities.ts';
import { isEnded } from '../../contract/progress.ts';
import type { LogLine } from '../../control/logs.ts';
import type { RunChange } from '../../control/runs.ts';
import type { StoredDumpRestore } from '../../postgres/dump-records.ts';
import { emptyTally } from '../../restore/tally.ts';
import { bareRun, type Run, type RunTimes, runOfProgress } from '../run.ts';
import { changeOf, endLines } from '../run-change.ts';

/** What is needed to follow a restore of a dump. */
export interface DumpsFollowing {
  readonly dumps: Pick<DumpClient, 'progress' | 'outcome'>;
  /** Looks a restore up in the maintenance databases of services; null when none has it. */
  readonly findDump: (restoreId: string) => Promise<StoredDumpRestore | null>;
}

/** A restore of a dump as its workflow tells, which has begun. */
export async function observeDump(
  { dumps, findDump }: DumpsFollowing,
  id: string,
  description: RestoreDescription,
): Promise<Run> {
  if (description.standing === 'running') return runOfDumpProgress(await dumps.progress(id), description);
  try {
    return runOfDumpOutcome(await dumps.outcome(id), description);
  } catch (error) {
    // Temporal keeps no result of a cancelled run: where no worker answers for its workflow, its record does.
    if (description.standing !== 'cancelled' || !isTemporalUnavailable(error)) throw error;
    return (await recordedDump(findDump, id)) ?? bareRun(id, 'cancelled', description, null);
  }
}

/** A restore of a dump as the server of its service remembers it. */
export async function recordedDump(findDump: DumpsFollowing['findDump'], id: string): Promise<Run | null> {
  const recorded = await findDump(id);
  if (recorded === null) return null;
  const { request, state, outcome, startedAt, endedAt } = recorded;
  const times = { createdAt: new Date(startedAt), endedAt: endedAt === null ? null : new Date(endedAt) };
  if (outcome !== null) return runOfDumpOutcome(outcome, times);
  return { ...bareRun(id, state, times, null), database: request.database };
}

function runOfDumpProgress(progress: DumpProgress, times: RunTimes): Run {
  const { service, mode, step, dump, notices, outcome: _, steps: __, ...rest } = progress;
  return {
    ...runOfProgress(rest, times),
    dump: { ...nothingKnown, service, mode, step, key: dump?.key ?? null, notices },
  };
}

function runOfDumpOutcome(outcome: DumpOutcome, times: RunTimes): Run {
  const { restoreId, database, state, service, mode, dump, error, seconds } = outcome;
  const { passedOver, proof, report, old, leftBehind, notices } = outcome;
  const isDone = state === 'completed' && outcome.wouldDo === undefined;
  const bytes = isDone ? (dump?.bytes ?? 0) : 0;
  return {
    ...bareRun(restoreId, state, times, error),
    database,
    startedAt: times.endedAt === null ? times.createdAt : new Date(times.endedAt.getTime() - seconds * 1000),
    archives: { done: isDone ? 1 : 0, total: 1 },
    bytes: { done: bytes, total: dump?.bytes ?? null },
    tally: {
      archives: { ...emptyTally.archives, restored: isDone ? 1 : 0 },
      rows: { ...emptyTally.rows, inserted: isDone ? rowsOf(outcome) : 0 },
      bytes,
    },
    dump: {
      ...{ service, mode, step: null, key: dump?.key ?? null, passedOver, proof, report },
      ...{ old, leftBehind, notices, wouldDo: outcome.wouldDo ?? null },
    },
  };
}

const nothingKnown = {
  ...{ passedOver: [], proof: null, report: null, old: null, leftBehind: [], wouldDo: null },
} as const;

/** Rows that were brought: a database that was there before has others, too. */
function rowsOf({ mode, proof, report }: DumpOutcome): number {
  if (report === null) return proof?.rows ?? 0;
  if (mode !== 'into-existing') return report.after.rows;
  const told = report.tables.reduce((sum, { dump }) => sum + (dump ?? 0), 0);
  return report.tables.length < maxTablesReported ? told : (proof?.rows ?? told);
}

/** What is written of a restore of a dump. */
export function dumpChange(run: Run): RunChange {
  const change = changeOf(run);
  const { key = null, step = null, report = null } = run.dump ?? {};
  return {
    ...change,
    progressDetail: {
      ...change.progressDetail,
      ...(step === null ? {} : { phase: phases[step], step }),
      dump: key,
      ...(report === null ? {} : { verification: report.outcome }),
    },
  };
}

/** The documented phases of a run. */
const phases: Readonly<Record<DumpStep, string>> = {
  choose: 'planning',
  prove: 'planning',
  survey: 'planning',
  load: 'importing_data',
  verify: 'importing_data',
  swap: 'importing_data',
  finish: 'importing_data',
};

/** What the log says of a restore of a dump by now. */
export function dumpLines(run: Run): LogLine[] {
  const { dump } = run;
  if (dump === null) return isEnded(run.state) ? endLines(run) : [];
  const { key, service, proof, report, old, mode } = dump;
  const into = run.database ?? service;
  const passed = dump.passedOver.map(({ key: bad, reason }) =>
    line(`passed/${bad}`, 'validation', `Dump ${bad} is not good: ${reason}`, 'warn'),
  );
  const checks = (report?.checks ?? [])
    .filter(({ outcome }) => outcome === 'failed' || outcome === 'warning')
    .map(({ name, outcome, detail }, place) =>
      line(`check/${place}`, 'validation', `${name}: ${detail}`, outcome === 'failed' ? 'error' : 'warn'),
    );
  const isLoaded = report !== null || isPast(dump.step, 'load');
  return [
    ...passed,
    ...(key !== null && (proof !== null || isPast(dump.step, 'prove'))
      ? [line(`proved/${key}`, 'validation', `Dump ${key} is whole`)]
      : []),
    ...(isLoaded ? [line('loaded', 'data_import', `Loaded ${key} for ${into} (${mode})`)] : []),
    ...checks,
    ...(report === null
      ? []
      : [line('verified', 'validation', `Verification: ${report.outcome}, ${report.checks.length} checks`)]),
    ...(dump.wouldDo ?? []).map((step, place) => line(`would/${place}`, 'validation', `Would: ${step}`)),
    ...dump.notices.map((notice, place) => line(`notice/${place}`, null, notice, 'warn')),
    ...(old === null
      ? []
      : [line('old', null, `The old database is kept as ${old.name} until ${old.dropAt}`)]),
    ...dump.leftBehind.map((name) => line(`left/${name}`, null, `Left behind: database ${name}`, 'warn')),
    ...(isEnded(run.state) ? endLines(run) : []),
  ];
}

function isPast(step: DumpStep | null, other: DumpStep): boolean {
  return step !== null && dumpSteps.indexOf(step) > dumpSteps.indexOf(other) && step !== 'finish';
}

function line(
  key: string,
  phase: LogLine['phase'],
  message: string,
  level: LogLine['level'] = 'info',
): LogLine {
  return { key, level, phase, model: null, record: null, message, detail: null };
}
