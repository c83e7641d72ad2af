import type {
  DumpOutcome,
  DumpProgress,
  DumpProof,
  DumpReport,
  DumpStep,
} from '../contract/dump-activities.ts';
import type { DumpRef, DumpRequest } from '../contract/dump-request.ts';
import type { RestoreProgress } from '../contract/progress.ts';
import { clip } from './clip.ts';
import { formatBytes, formatCount } from './format.ts';
import { type RestoreHead, sumProgress } from './progress.ts';
import { emptyTally } from './tally.ts';

/** How far a restore of a dump is, as its workflow knows it. */
export interface DumpStanding {
  readonly step: DumpStep;
  readonly dump: DumpRef | null;
  readonly proof: DumpProof | null;
  readonly report: DumpReport | null;
  readonly steps: DumpProgress['steps'];
  readonly notices: readonly string[];
  readonly outcome: DumpOutcome | null;
}

/** The progress of a restore of a dump, in the form that all restores have: the dump is its one archive. */
export function dumpProgress(
  request: DumpRequest,
  head: Omit<RestoreHead, 'restoreId' | 'database'>,
  { proof, report, ...standing }: DumpStanding,
  now: number,
): DumpProgress {
  const { restoreId, database, service, mode, dryRun = false } = request;
  const isDone = standing.outcome?.state === 'completed' && !dryRun;
  const isPast = standing.step === 'verify' || standing.step === 'swap' || standing.step === 'finish';
  const isRead = isPast && !dryRun;
  const bytes = standing.dump?.bytes ?? null;
  const rows = isRead ? (report?.after.rows ?? proof?.rows ?? 0) : 0;
  return {
    ...sumProgress({ ...head, restoreId, database }, [], now),
    archives: { done: isDone ? 1 : 0, total: 1 },
    bytes: { done: isDone || isRead ? (bytes ?? 0) : 0, total: bytes },
    tally: {
      archives: { ...emptyTally.archives, restored: isDone ? 1 : 0 },
      rows: { ...emptyTally.rows, inserted: rows },
      bytes: isDone ? (bytes ?? 0) : 0,
    },
    service,
    mode,
    ...standing,
  };
}

/** Whether a progress is that of a restore of a dump. */
export function isDumpProgress(progress: RestoreProgress): progress is DumpProgress {
  return 'step' in progress;
}

/** What the Temporal UI shows of a restore of a dump, in Markdown. */
export function describeDump(progress: DumpProgress): string {
  const { state, service, database, mode, dump, step, steps, notices, outcome, reason } = progress;
  const lines = [
    `**${state}** \`${database}\` of ${service} (${mode})${reason === null ? '' : ` (${line(reason)})`}: ${step}`,
    ...(dump === null ? [] : ['', `Dump \`${dump.key}\`, ${formatBytes(dump.bytes)}`]),
    '',
    ...steps.map(({ step: done, seconds }) => `* ${done}: ${formatCount(Math.round(seconds))} s`),
  ];
  const error = outcome?.error ?? null;
  if (error !== null) lines.push('', `**${error.code}** ${line(error.message)}`);
  if (outcome?.old) lines.push('', `Old database \`${outcome.old.name}\`, dropped at ${outcome.old.dropAt}`);
  for (const notice of notices.slice(0, shownNotices)) lines.push('', line(notice));
  return lines.join('\n');
}

/** Current details stay below 16 KB. */
const shownNotices = 20;

function line(text: string): string {
  return clip(text.replaceAll(/\s+/g, ' '), 500);
}
