import type { DrillReport } from '../contract/drill.ts';
import type { RestoreState } from '../contract/progress.ts';
import { clip } from './clip.ts';
import { formatCounted, formatSeconds } from './format.ts';

/**
 * What the Temporal UI shows of a drill, in Markdown.
 *
 * @param scratch the place that it restores into; null where it has none yet
 * @param report null until it has ended
 */
export function describeDrill(
  subject: string,
  state: RestoreState,
  scratch: string | null,
  report: DrillReport | null,
): string {
  const outcome = report === null || state === 'cancelled' ? state : report.outcome;
  const head = `**${outcome}** drill of ${subject}${scratch === null ? '' : ` in \`${scratch}\``}`;
  return [head, ...(report === null ? [] : reportLines(report))].map((line) => clip(line, 600)).join('\n\n');
}

function reportLines({ backup, takenAt, rows, objectives, missed, error, ...report }: DrillReport): string[] {
  const time = (what: string, seconds: number | null, objective: number | null, isMissed: boolean) => {
    if (seconds === null) return [];
    const met =
      objective === null
        ? ''
        : ` (objective ${formatSeconds(objective)}: ${isMissed ? '**missed**' : 'met'})`;
    return [`${what}: ${formatSeconds(seconds)}${met}`];
  };
  return [
    ...(error === null ? [] : [`**${error.code}** ${error.message.replaceAll(/\s+/g, ' ')}`]),
    ...(backup === null
      ? []
      : [`Backup \`${backup}\`${takenAt === null ? '' : ` of ${takenAt}`}, ${formatCounted(rows, 'row')}`]),
    ...time('Recovery time', report.rtoSeconds, objectives.rtoSeconds, missed.includes('rto')),
    ...time('Age of the backup', report.rpoSeconds, objectives.rpoSeconds, missed.includes('rpo')),
    ...report.leftBehind.map((name) => `Left behind: \`${name}\``),
  ];
}
