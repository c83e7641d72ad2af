import { z } from 'zod';
import { parseInput } from '../../client/restore-input.ts';
import { type SystemClient, systemWorkflow } from '../../client/system-client.ts';
import { parseSeconds } from '../../config/duration.ts';
import { findSystem, type LoadedSystem, systemFingerprint } from '../../config/load-system.ts';
import { isEnded } from '../../contract/progress.ts';
import type { RunRequest } from '../../contract/run-request.ts';
import type { SystemOutcome, SystemProgress } from '../../contract/system-activities.ts';
import type { LogLine } from '../../control/logs.ts';
import { emptyTally } from '../../restore/tally.ts';
import { demandAccess } from '../access.ts';
import { bareRun, type Run, type RunTimes, runOfProgress } from '../run.ts';
import { changeOf, endLines } from '../run-change.ts';
import { dumpOptions } from './dump-settings.ts';
import { namings, plainSettings, refuseOthers, takenApart } from './plain-settings.ts';
import type { Source, SourceInput, SourceSettings } from './source.ts';

/** What restores of systems need. */
export interface SystemsDependencies {
  readonly systems: Pick<SystemClient, 'progress' | 'outcome'>;
  /** The systems of `system.yaml`; none where there is no such file. */
  readonly loadSystems: () => Promise<readonly LoadedSystem[]>;
}

type SystemRunRequest = Extract<RunRequest, { sourceType: 'system' }>;

const heartbeatSeconds = 20;

/** What is said of a restore of a system besides which one, by the names of the flags of `thaw restore-system`. */
export const systemOptions = z.strictObject(
  {
    before: dumpOptions.shape.before.describe('The newest dumps that are not later.'),
    wait: z
      .string('must be a time such as 30m, or 0')
      .refine((value) => waitTime(value) !== null, 'must be a time such as 30m, or 0')
      .optional()
      .describe('How long a failed step waits for a decision; default: as system.yaml says.'),
  },
  'must be an object of settings',
);

/** Whole systems of `system.yaml`: what `thaw restore-system` can do. For root, as they are of all services. */
export function systemSource({ systems, loadSystems }: SystemsDependencies): Source<SystemRunRequest> {
  const settings = (input: SourceInput, naming: (field: string) => string): SourceSettings => {
    refuseOthers(plain, input, 'systems');
    const { source_ref } = parseInput(named, { source_ref: input.source_ref ?? undefined });
    const { options = {} } = input;
    parseInput(systemOptions, options, naming);
    return { ...plain, source_ref, options };
  };
  return {
    settings: (input) => settings(input, namings.saved),
    settingsOnce: (body) => settings(takenApart(body), namings.once),
    async request({ source_ref, options }, { runId, caller }) {
      demandAccess(caller, 'root', 'A restore of a system');
      const { system } = findSystem(await loadSystems(), source_ref);
      const { before, wait } = parseInput(systemOptions, options, namings.saved);
      return {
        sourceType: 'system',
        system: {
          ...{ restoreId: runId, system: system.name, fingerprint: systemFingerprint(system) },
          before: before === undefined ? null : new Date(before).toISOString(),
          waitSeconds: wait === undefined ? null : waitTime(wait),
          heartbeatSeconds,
        },
      };
    },
    workflow: ({ system }) => systemWorkflow(system),
    preview: null,
    async observe(runId, description) {
      return description.standing === 'running'
        ? runOfSystem(await systems.progress(runId), description)
        : runOfOutcome(await systems.outcome(runId), description);
    },
    change: changeOf,
    lines: systemLogLines,
    recall: async () => null,
  };
}

const plain = plainSettings('system');
const named = z.object({
  source_ref: z
    .string('must be text')
    .min(1, 'must not be empty')
    .max(1000, 'must have at most 1000 characters'),
});

function waitTime(text: string): number | null {
  return text === '0' ? 0 : parseSeconds(text);
}

function runOfSystem(progress: SystemProgress, times: RunTimes): Run {
  const { system: name, systemSteps: steps, waiting, notices, outcome: _, ...rest } = progress;
  return {
    ...runOfProgress(rest, times),
    system: { name, steps, waiting, notices, databases: [], downtimeSeconds: null },
  };
}

function runOfOutcome(outcome: SystemOutcome, times: RunTimes): Run {
  const { restoreId, system: name, state, steps, notices, databases, downtimeSeconds, error } = outcome;
  const restored = databases.filter(({ live }) => live === 'new');
  const inserted = restored.reduce((sum, { rows }) => sum + (rows ?? 0), 0);
  return {
    ...bareRun(restoreId, state, times, error),
    database: name,
    startedAt: times.createdAt,
    archives: { done: restored.length, total: databases.length },
    tally: {
      ...emptyTally,
      archives: { ...emptyTally.archives, restored: restored.length },
      rows: { ...emptyTally.rows, inserted },
    },
    system: { name, steps, waiting: [], notices, databases, downtimeSeconds },
  };
}

function systemLogLines(run: Run): LogLine[] {
  const { steps = [], waiting = [], notices = [], databases = [] } = run.system ?? {};
  return [
    ...steps
      .filter(({ state }) => state !== 'running' && state !== 'waiting')
      .map(({ step, state, error }) =>
        line(
          `step/${step}`,
          state === 'failed' ? 'error' : 'info',
          `${step}: ${state}${error === null ? '' : `: ${error.message}`}`,
        ),
      ),
    ...waiting.map(({ step, until, error }) =>
      line(
        `waiting/${step}/${until}`,
        'warn',
        `${step} waits for a decision until ${until}: ${error.message}`,
      ),
    ),
    ...notices.map((notice, place) => line(`notice/${place}`, 'warn', notice)),
    ...databases.flatMap(({ service, leftBehind }) =>
      leftBehind.map((name) => line(`left/${name}`, 'warn', `Left behind of ${service}: database ${name}`)),
    ),
    ...(isEnded(run.state) ? endLines(run) : []),
  ];
}

function line(key: string, level: LogLine['level'], message: string): LogLine {
  return { key, level, phase: null, model: null, record: null, message, detail: null };
}
