import type { RestoreProgress } from '../contract/progress.ts';
import type {
  Objective,
  PlannedDatabase,
  SystemProgress,
  SystemStep,
} from '../contract/system-activities.ts';
import { clip } from './clip.ts';
import { formatCount } from './format.ts';
import { type RestoreHead, sumProgress } from './progress.ts';
import { emptyTally } from './tally.ts';

/** How far a restore of a system is, as its workflow knows it. */
export interface SystemStanding
  extends Pick<SystemProgress, 'system' | 'systemSteps' | 'waiting' | 'notices' | 'outcome'> {
  /** Databases that have been swapped in, of all. */
  readonly swapped: { readonly done: number; readonly total: number | null };
}

/** The progress of a restore of a system, in the form that all restores have: each database is an archive. */
export function systemProgress(
  head: RestoreHead,
  { swapped, ...standing }: SystemStanding,
  now: number,
): SystemProgress {
  return {
    ...sumProgress(head, [], now),
    archives: swapped,
    tally: { ...emptyTally, archives: { ...emptyTally.archives, restored: swapped.done } },
    ...standing,
  };
}

/** Whether a progress is that of a restore of a system. */
export function isSystemProgress(progress: RestoreProgress): progress is SystemProgress {
  return 'systemSteps' in progress;
}

/** An objective against what was measured. */
export function objectiveOf(objective: number | null, measured: number | null): Objective {
  const met = objective === null || measured === null ? null : measured <= objective;
  return { objective, measured, met };
}

/** Seconds between a dump and a time: what of the writes is lost. */
export function dumpAge({ dump }: Pick<PlannedDatabase, 'dump'>, at: number): number {
  return Math.max(0, (at - Date.parse(dump.takenAt ?? dump.modifiedAt)) / 1000);
}

/** What the Temporal UI shows of a restore of a system, in Markdown. */
export function describeSystem({
  state,
  system,
  systemSteps,
  waiting,
  notices,
  outcome,
}: SystemProgress): string {
  const lines = [`**${state}** system \`${system}\``, '', ...systemSteps.map(stepLine)];
  for (const { step, until } of waiting) {
    lines.push(
      '',
      `**${step}** waits for an operator until ${until}: update \`decide\`, retry, skip or abort`,
    );
  }
  const error = outcome?.error ?? null;
  if (error !== null) lines.push('', `**${error.code}** ${line(error.message)}`);
  for (const notice of notices.slice(0, shownNotices)) lines.push('', line(notice));
  return clip(lines.join('\n'), detailsLimit);
}

/** Current details stay below 16 KB. */
const detailsLimit = 12_000;
const shownNotices = 20;

function stepLine({ step, what, state, seconds, error }: SystemStep): string {
  const why = error === null ? '' : `: ${line(error.message)}`;
  return `* ${step} (${line(what)}): ${state}, ${formatCount(Math.round(seconds))} s${why}`;
}

function line(text: string): string {
  return clip(text.replaceAll(/\s+/g, ' '), 300);
}
