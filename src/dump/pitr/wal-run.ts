import type { TimelineStretch } from './timelines.ts';
import { parseWalName, segmentNumber, segmentOf, walName } from './wal-name.ts';

/** The WAL from a position on, up to where it ends or the first segment is missing. */
export interface WalRun {
  /** Names of the segments that are there, in order; where timelines part, of both. */
  readonly names: readonly string[];
  /** Number of the last segment that is there; one less than the first where not even that is. */
  readonly last: number;
  /** Name of the first that is missing while later ones are there; null where none is. */
  readonly missing: string | null;
}

/**
 * Goes along the segments of the timelines from a position.
 *
 * @param names of the segments that are there
 */
export function walRun(
  path: readonly TimelineStretch[],
  start: bigint,
  segmentBytes: number,
  names: ReadonlySet<string>,
): WalRun {
  const found: string[] = [];
  let number = segmentOf(start, segmentBytes);
  for (; ; number += 1) {
    const here = candidates(path, number, segmentBytes).filter((name) => names.has(name));
    if (here.length === 0) break;
    found.push(...here);
  }
  const isLater = [...names].some((name) => {
    const parsed = parseWalName(name);
    if (parsed === null) return false;
    const later = segmentNumber(parsed, segmentBytes);
    return later > number && candidates(path, later, segmentBytes).includes(name);
  });
  const [missing] = candidates(path, number, segmentBytes).slice(-1);
  return { names: found, last: number - 1, missing: isLater ? (missing ?? null) : null };
}

/** The names that a segment may have: where timelines part in it, one for each. */
export function candidates(path: readonly TimelineStretch[], number: number, segmentBytes: number): string[] {
  return path
    .filter(
      ({ from, to }) =>
        segmentOf(from, segmentBytes) <= number && (to === null || number <= segmentOf(to, segmentBytes)),
    )
    .map(({ timeline }) => walName(timeline, number, segmentBytes));
}
