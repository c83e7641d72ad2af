import type { DrillReport } from '../contract/drill.ts';
import { reportLines } from '../dump/verify/report-lines.ts';
import type { DrillRecord } from '../postgres/drill-records.ts';
import { columns } from '../restore/columns.ts';
import { formatCount, formatSeconds } from '../restore/format.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { errorLines } from './summary.ts';

/** How a drill went, for people. */
export function drillLines(drill: DrillReport): string[] {
  const { subject, outcome, backup, takenAt, rtoSeconds, rpoSeconds, objectives, missed, rows, error } =
    drill;
  const counted = error === null || rows > 0 ? [`Rows: ${formatCount(rows)}`] : [];
  const met = (objective: number | null, isMissed: boolean) =>
    objective === null ? '' : ` (objective ${formatSeconds(objective)}: ${isMissed ? 'MISSED' : 'met'})`;
  return [
    ...(drill.report === null ? counted : reportLines(drill.report)),
    ...(error === null ? [] : errorLines(error)),
    `Backup: ${backup === null ? 'none' : `${backup}${takenAt === null ? '' : ` of ${takenAt}`}`}`,
    ...(rtoSeconds === null
      ? []
      : [`Recovery time: ${formatSeconds(rtoSeconds)}${met(objectives.rtoSeconds, missed.includes('rto'))}`]),
    ...(rpoSeconds === null
      ? []
      : [
          `Recovery point: ${formatSeconds(rpoSeconds)} old${met(objectives.rpoSeconds, missed.includes('rpo'))}`,
        ]),
    ...drill.notices
      .filter((notice) => error === null || !notice.endsWith(error.message))
      .map((notice) => `Note: ${notice}`),
    ...drill.leftBehind.map((name) => `Left behind: ${name}`),
    ...(drill.webhook === null ? [] : [`Webhook: ${drill.webhook}`]),
    `Drill of ${subject}: ${outcome}${missed.length === 0 ? '' : `, missed ${missed.join(' and ')}`}`,
  ];
}

/** How a command ends after a drill that went so. */
export function drillExitCode({ outcome, missed }: DrillReport): ExitCode {
  if (outcome === 'failed') return exitCodes.invalid;
  if (outcome === 'inconclusive') return exitCodes.failed;
  return missed.length > 0 ? exitCodes.partial : exitCodes.done;
}

/** Drills that were done, the newest first, and what they come to for each subject. */
export function historyLines(drills: readonly DrillRecord<DrillReport>[]): string[] {
  if (drills.length === 0) return ['No drill is kept; `thaw drill` does one.'];
  const rows = drills.map(({ startedAt, subject, outcome, report }) => [
    `${startedAt.slice(0, 19)}Z`,
    subject,
    outcome + (report.missed.length === 0 ? '' : `, missed ${report.missed.join(' and ')}`),
    seconds(report.rtoSeconds),
    seconds(report.rpoSeconds),
    report.backup ?? '-',
  ]);
  const head = ['Started', 'Subject', 'Outcome', 'Recovery', 'Age', 'Backup'];
  const subjects = [...new Set(drills.map(({ subject }) => subject))];
  return [...columns([head, ...rows]), ...subjects.map((subject) => trendLine(subject, drills))];
}

/** What drills of a subject come to. */
export interface DrillTrend {
  readonly subject: string;
  readonly drills: number;
  readonly verified: number;
  readonly missed: number;
  readonly lastRtoSeconds: number | null;
  readonly medianRtoSeconds: number | null;
  readonly worstRtoSeconds: number | null;
}

/** @param drills the newest first, of any subject */
export function trendOf(subject: string, drills: readonly DrillRecord<DrillReport>[]): DrillTrend {
  const own = drills.filter((drill) => drill.subject === subject);
  const times = own.flatMap(({ report }) => (report.rtoSeconds === null ? [] : [report.rtoSeconds]));
  const sorted = times.toSorted((a, b) => a - b);
  return {
    subject,
    drills: own.length,
    verified: own.filter(({ outcome }) => outcome === 'verified').length,
    missed: own.filter(({ report }) => report.missed.length > 0).length,
    lastRtoSeconds: times[0] ?? null,
    medianRtoSeconds: sorted[Math.floor((sorted.length - 1) / 2)] ?? null,
    worstRtoSeconds: sorted.at(-1) ?? null,
  };
}

function trendLine(subject: string, drills: readonly DrillRecord<DrillReport>[]): string {
  const trend = trendOf(subject, drills);
  const recovery =
    trend.lastRtoSeconds === null
      ? ''
      : `; recovery ${seconds(trend.lastRtoSeconds)}, median ${seconds(trend.medianRtoSeconds)}, worst ${seconds(trend.worstRtoSeconds)}`;
  const missed = trend.missed === 0 ? '' : `, ${trend.missed} missed an objective`;
  return `${subject}: ${trend.verified} of ${trend.drills} verified${missed}${recovery}`;
}

function seconds(value: number | null): string {
  return value === null ? '-' : formatSeconds(value);
}
