import { z } from 'zod';
import { type DrillClient, drillWorkflow } from '../../client/drill-client.ts';
import { rehearsedDump, toDrillRequest } from '../../client/drill-request.ts';
import { type FieldNaming, fieldError, parseInput } from '../../client/restore-input.ts';
import { parseSeconds } from '../../config/duration.ts';
import type { ThawConfig } from '../../config/thaw-config.ts';
import type { DrillReport, DrillRequest } from '../../contract/drill.ts';
import { isEnded } from '../../contract/progress.ts';
import type { RunRequest } from '../../contract/run-request.ts';
import type { LogLine } from '../../control/logs.ts';
import { emptyTally } from '../../restore/tally.ts';
import { demandAccess } from '../access.ts';
import type { Caller } from '../caller.ts';
import { bareRun, type Run, type RunTimes, runOfProgress } from '../run.ts';
import { changeOf, endLines } from '../run-change.ts';
import { serviceOfField, visibleConfig } from '../visible-services.ts';
import { dumpOptions } from './dump-settings.ts';
import { namings, plainSettings, refuseOthers, takenApart } from './plain-settings.ts';
import type { Source, SourceInput, SourceSettings } from './source.ts';

/** What drills need. */
export interface DrillsDependencies {
  readonly config: ThawConfig;
  readonly drills: Pick<DrillClient, 'progress' | 'outcome'>;
  /** Looks a drill up where drills are kept; null when nobody has it. */
  readonly findDrill: (drillId: string) => Promise<DrillReport | null>;
}

type DrillRunRequest = Extract<RunRequest, { sourceType: 'drill' }>;

const heartbeatSeconds = 20;
const { service, before, fallback, restore_options, allow_errors, checks, only_tables } = dumpOptions.shape;

const time = z
  .string('must be a time such as 30m or 24h')
  .refine((value) => parseSeconds(value) !== null, 'must be a time such as 30m or 24h');

/** What is said of a drill, by the names of the flags of `thaw drill`. */
export const drillOptions = z.strictObject(
  {
    ...{ service, before, fallback, restore_options, allow_errors, checks },
    archives: service.describe('The row archives of this database, in place of a dump.'),
    tables: only_tables
      .unwrap()
      .optional()
      .describe('Of archives: these tables; default: all that are configured.'),
    rto: time.optional().describe('Objective of the recovery time.'),
    rpo: time.optional().describe('Objective of the age of the backup.'),
  },
  'must be an object of settings',
);

/** Rehearsals of restores: what `thaw drill` can do. */
export function drillSource({ config, drills, findDrill }: DrillsDependencies): Source<DrillRunRequest> {
  const settings = (input: SourceInput, caller: Caller, naming: FieldNaming): SourceSettings => {
    refuseOthers(plain, input, 'drills');
    const { options = {} } = input;
    requestOf(options, config, { runId: '', caller }, naming);
    return { ...plain, options };
  };
  return {
    settings: (input, caller) => settings(input, caller, namings.saved),
    settingsOnce: (body, caller) => settings(takenApart(body), caller, namings.once),
    async request({ options }, owner) {
      return { sourceType: 'drill', drill: drillOf(options, config, owner, namings.saved) };
    },
    workflow: ({ drill }) => drillWorkflow(drill),
    preview: null,
    async observe(runId, description) {
      if (description.standing === 'running') {
        const { restoring: _, outcome: __, ...progress } = await drills.progress(runId);
        return runOfProgress(progress, description);
      }
      const report = await drills.outcome(runId);
      return runOfReport(report, description, description.standing === 'cancelled');
    },
    change: changeOf,
    lines: drillLogLines,
    async recall(runId) {
      const report = await findDrill(runId);
      if (report === null) return null;
      const times = { createdAt: new Date(report.startedAt), endedAt: new Date(report.endedAt) };
      return runOfReport(report, times, false);
    },
  };
}

const plain = { ...plainSettings('drill'), source_ref: null } as const;

/**
 * The drill that options ask for, where the caller may.
 *
 * @throws ThawError `InputInvalid`
 * @throws ApiError `FORBIDDEN`
 */
export function drillOf(
  options: unknown,
  config: ThawConfig,
  owner: DrillOwner,
  naming: FieldNaming,
): DrillRequest {
  const drill = requestOf(options, config, owner, naming);
  demandDrillRights(owner.caller, drill);
  return drill;
}

interface DrillOwner {
  /** Empty in a schedule. */
  readonly runId: string;
  readonly caller: Caller;
}

function requestOf(
  options: unknown,
  config: ThawConfig,
  { runId, caller }: DrillOwner,
  naming: FieldNaming,
): DrillRequest {
  const given = parseInput(drillOptions, options, naming);
  const objectives = { rtoSeconds: secondsOf(given.rto), rpoSeconds: secondsOf(given.rpo) };
  if (given.archives !== undefined) {
    const ofDumps = ['service', 'before', 'fallback', 'restore_options', 'allow_errors', 'checks'];
    const foreign = Object.keys(options as object).find((name) => ofDumps.includes(name));
    if (foreign !== undefined) throw fieldError(naming(foreign), 'belongs to drills of dumps');
    const archives = { kind: 'archives', database: given.archives, tables: given.tables ?? null } as const;
    return toDrillRequest(archives, objectives, config, runId, heartbeatSeconds);
  }
  if (given.tables !== undefined) throw fieldError(naming('tables'), 'belongs to archives');
  const chosen = serviceOfField(config, caller, given.service, naming('service'));
  const dump = rehearsedDump({
    service: chosen.name,
    before: given.before === undefined ? null : new Date(given.before).toISOString(),
    fallback: given.fallback,
    restoreOptions: given.restore_options ?? '',
    allowErrors: given.allow_errors,
    checks: given.checks,
  });
  const visible = visibleConfig(config, caller);
  return toDrillRequest({ kind: 'dump', dump }, objectives, visible, runId, heartbeatSeconds);
}

/** A drill touches nothing that is there; what the worker is told to run reaches further. @throws ApiError `FORBIDDEN` */
export function demandDrillRights(caller: Caller, { source }: DrillRequest): void {
  if (source.kind === 'archives') {
    demandAccess(caller, 'root', 'A drill of archives');
    return;
  }
  const { options, checks: statements } = source.request;
  if (options.length > 0) demandAccess(caller, 'full', 'The option restore_options');
  if (statements.length > 0) demandAccess(caller, 'root', 'The option checks');
}

function secondsOf(text: string | undefined): number | null {
  return text === undefined ? null : parseSeconds(text);
}

function runOfReport(report: DrillReport, times: RunTimes, isCancelled: boolean): Run {
  const { drillId, subject, outcome, startedAt, rows, error } = report;
  const isVerified = outcome === 'verified';
  const state = isCancelled ? 'cancelled' : isVerified ? 'completed' : 'failed';
  const why = error ?? {
    code: 'VerificationFailed' as const,
    message: `The drill is ${outcome}.`,
    hint: 'Its report tells what was looked at, and its notices what could not be.',
  };
  return {
    ...bareRun(drillId, state, times, state === 'failed' ? why : null),
    database: subject,
    startedAt: new Date(startedAt),
    tally: { ...emptyTally, rows: { ...emptyTally.rows, inserted: isVerified ? rows : 0 } },
    drill: report,
  };
}

function drillLogLines(run: Run): LogLine[] {
  const { drill } = run;
  if (!isEnded(run.state)) return [];
  if (drill === null) return endLines(run);
  const warnings = [
    ...drill.missed.map((objective) => `The objective ${objective} is missed`),
    ...drill.notices,
    ...drill.leftBehind.map((name) => `Left behind: ${name}`),
  ];
  const backup = drill.backup === null ? 'No backup was found' : `Backup ${drill.backup} of ${drill.takenAt}`;
  return [
    line('backup', 'info', backup),
    ...warnings.map((message, place) => line(`warning/${place}`, 'warn', message)),
    line('outcome', 'info', `Drill of ${drill.subject}: ${drill.outcome}`),
    ...endLines(run),
  ];
}

function line(key: string, level: LogLine['level'], message: string): LogLine {
  return { key, level, phase: 'validation', model: null, record: null, message, detail: null };
}
