import { ThawError } from '../../contract/thaw-error.ts';
import { formatLsn, parseLsn } from './wal-name.ts';

/** A timeline on the way from a base backup to the one that is recovered. */
export interface TimelineStretch {
  readonly timeline: number;
  readonly from: bigint;
  /** Where the next one begins; null for the last. */
  readonly to: bigint | null;
}

/**
 * The number of the timeline that `recovery_target_timeline` means, as PostgreSQL looks for it: `latest` is the last
 * of those that follow the backup's without a gap.
 */
export function targetTimeline(asked: string, base: number, known: ReadonlySet<number>): number {
  if (asked === 'current') return base;
  if (asked !== 'latest') return Number(asked);
  let newest = base;
  while (known.has(newest + 1)) newest += 1;
  return newest;
}

/**
 * The stretches of WAL from a backup to the end of a timeline.
 *
 * @param history text of the timeline's `.history` file; null for the backup's own
 * @param start where the backup's WAL begins
 * @throws ThawError `InputInvalid` where the timeline does not come from that of the backup
 */
export function stretches(
  timeline: number,
  history: string | null,
  base: number,
  start: bigint,
): TimelineStretch[] {
  if (timeline === base || history === null) return [{ timeline, from: 0n, to: null }];
  const all: TimelineStretch[] = [];
  let from = 0n;
  for (const line of history.split('\n')) {
    const [, number, lsn] = /^\s*(\d+)\s+(\S+)/.exec(line) ?? [];
    const to = parseLsn(lsn ?? '');
    if (number === undefined || to === null) continue;
    all.push({ timeline: Number(number), from, to });
    from = to;
  }
  all.push({ timeline, from, to: null });
  const own = all.findIndex((stretch) => stretch.timeline === base);
  const left = all[own]?.to ?? null;
  if (own !== -1 && left !== null && left > start) return all.slice(own);
  throw new ThawError(
    'InputInvalid',
    `timeline ${timeline} does not come from timeline ${base} behind ${formatLsn(start)}, where the base backup begins.`,
    {
      object: String(timeline),
      hint: 'Name another with --target-timeline (current is that of the backup), or take a base backup of that timeline.',
    },
  );
}
