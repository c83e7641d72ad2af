import type { PitrPlan, PitrProgress, PitrRequest, RecoveryTarget } from '../contract/pitr.ts';
import type { RestoreProgress } from '../contract/progress.ts';
import { clip } from './clip.ts';
import { type RestoreHead, sumProgress } from './progress.ts';

/** How far a recovery is, as its workflow knows it. */
export type PitrStanding = Pick<PitrProgress, 'pitrStep' | 'notices' | 'outcome'>;

/** The progress of a recovery, in the form that all restores have: the base backup is its one archive. */
export function pitrProgress(
  { restoreId, into }: PitrRequest,
  head: Omit<RestoreHead, 'restoreId' | 'database'>,
  plan: PitrPlan | null,
  standing: PitrStanding,
  now: number,
): PitrProgress {
  const isDone = standing.outcome?.state === 'completed';
  const isUnpacked = standing.pitrStep !== 'check' && standing.pitrStep !== 'unpack';
  const total = plan?.bytes ?? null;
  return {
    ...sumProgress({ ...head, restoreId, database: into }, [], now),
    archives: { done: isDone ? 1 : 0, total: 1 },
    bytes: { done: isUnpacked ? (total ?? 0) : 0, total },
    ...{ into, now: null },
    ...standing,
  };
}

/** Whether a progress is that of a recovery. */
export function isPitrProgress(progress: RestoreProgress): progress is PitrProgress {
  return 'pitrStep' in progress;
}

/** A target as people say it. */
export function targetText(target: RecoveryTarget): string {
  if (target.kind === 'time') return target.time;
  if (target.kind === 'lsn') return `LSN ${target.lsn}`;
  if (target.kind === 'xid') return `transaction ${target.xid}`;
  return target.kind === 'name' ? `restore point ${target.name}` : 'the end of the WAL';
}

/** What the Temporal UI shows of a recovery, in Markdown. */
export function describePitr({ base, target }: PitrRequest, progress: PitrProgress): string {
  const { state, into, pitrStep, notices, outcome, reason } = progress;
  const error = outcome?.error ?? null;
  return [
    `**${state}** \`${line(base)}\` to ${line(targetText(target))} in \`${into}\`${reason === null ? '' : ` (${line(reason)})`}: ${pitrStep}`,
    ...(error === null ? [] : ['', `**${error.code}** ${line(error.message)}`]),
    ...notices.slice(0, 20).flatMap((notice) => ['', line(notice)]),
  ].join('\n');
}

function line(text: string): string {
  return clip(text.replaceAll(/\s+/g, ' '), 500);
}
