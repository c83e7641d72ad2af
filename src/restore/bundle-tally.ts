import type { BundleContents, BundleTally } from '../contract/bundle-activities.ts';
import type { Tally } from '../contract/outcome.ts';
import type { RestoreProgress } from '../contract/progress.ts';
import { type RestoreHead, sumProgress } from './progress.ts';

/** Nothing done yet. */
export const emptyBundleTally: BundleTally = { files: 0, inserted: 0, updated: 0, skipped: 0, deleted: 0 };

/** Adds up what parts of a bundle did. */
export function sumBundleTallies(a: BundleTally, b: BundleTally): BundleTally {
  return {
    files: a.files + b.files,
    inserted: a.inserted + b.inserted,
    updated: a.updated + b.updated,
    skipped: a.skipped + b.skipped,
    deleted: a.deleted + b.deleted,
  };
}

/**
 * The progress of a restore of a bundle, in the form that all restores have: its files are the archives.
 *
 * @param now milliseconds since the epoch
 */
export function bundleProgress(
  head: RestoreHead,
  tally: BundleTally,
  contents: BundleContents | null,
  now: number,
): RestoreProgress {
  const { files, inserted, updated, skipped } = tally;
  const whole: Tally = {
    archives: { restored: files, earlier: 0, failed: 0 },
    rows: { inserted, updated, skipped, failed: 0 },
    bytes: 0,
  };
  const rows = inserted + updated + skipped;
  const seconds = Math.max((now - Date.parse(head.startedAt)) / 1000, 0.001);
  return {
    ...sumProgress(head, [], now),
    archives: { done: files, total: contents?.files ?? null },
    tally: whole,
    rowsPerSecond: rows / seconds,
  };
}
