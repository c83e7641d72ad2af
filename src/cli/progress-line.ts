import type { DumpProgress } from '../contract/dump-activities.ts';
import type { PitrProgress } from '../contract/pitr.ts';
import { type Extent, isEnded, type RestoreProgress } from '../contract/progress.ts';
import type { SnapshotProgress } from '../contract/snapshot-restore.ts';
import type { SystemProgress } from '../contract/system-activities.ts';
import type { UndoProgress } from '../contract/undo-request.ts';
import { isDumpProgress } from '../restore/dump-progress.ts';
import { formatBytes, formatCount, formatSeconds } from '../restore/format.ts';
import { isPitrProgress } from '../restore/pitr-progress.ts';
import { isSnapshotProgress, snapshotShare } from '../restore/snapshot-progress.ts';
import { isSystemProgress } from '../restore/system-progress.ts';
import { isUndoProgress, undoExtent } from '../restore/undo-progress.ts';

/** Progress in one line: `running  412/1,035 archives  412,000 rows  61,200 rows/s  ETA 12 s`. */
export function progressLine(progress: RestoreProgress): string {
  const { tally } = progress;
  if (isDumpProgress(progress)) return dumpLine(progress);
  if (isSystemProgress(progress)) return systemLine(progress);
  if (isPitrProgress(progress)) return pitrLine(progress);
  if (isUndoProgress(progress)) return undoLine(progress);
  if (isSnapshotProgress(progress)) return snapshotLine(progress);
  if (progress.state === 'queued' || progress.state === 'planning') return progress.state;
  // A drill of a dump has no archives; the restore that it begins tells how far it is.
  if ('restoring' in progress && progress.archives.total === 0) return progress.state;
  const { inserted, updated, skipped } = tally.rows;
  const parts = [
    progress.state.replaceAll('_', ' ') + (progress.reason === null ? '' : ` (${progress.reason})`),
    `${extent(progress.archives)} archives`,
    `${formatCount(inserted + updated + skipped)} rows`,
    ...(progress.state === 'running' ? [`${formatCount(Math.round(progress.rowsPerSecond))} rows/s`] : []),
    formatBytes(progress.bytes.done),
    ...(progress.etaSeconds === null ? [] : [`ETA ${formatSeconds(progress.etaSeconds)}`]),
    ...(tally.archives.failed === 0 ? [] : [`${formatCount(tally.archives.failed)} failed`]),
  ];
  return parts.join('  ');
}

/** `running  load  argus_20231201_020000.sql.gz  12 MB of 40 MB`: what there is to count differs by step. */
function dumpLine({ state, reason, step, dump, bytes }: DumpProgress): string {
  const isCounted = bytes.done > 0 && (step === 'prove' || step === 'load');
  return [
    state.replaceAll('_', ' ') + (reason === null ? '' : ` (${reason})`),
    ...(isEnded(state) ? [] : [step]),
    ...(dump === null ? [] : [dump.key]),
    ...(isCounted ? [`${formatBytes(bytes.done)} of ${formatBytes(bytes.total ?? bytes.done)}`] : []),
  ].join('  ');
}

/** `running  restore:argus, restore:hermes  0/2 databases`, and what waits for an operator. */
function systemLine({ restoreId, state, reason, archives, systemSteps, waiting }: SystemProgress): string {
  const running = systemSteps.filter((step) => step.state === 'running').map(({ step }) => step);
  return [
    state + (reason === null ? '' : ` (${reason})`),
    ...(isEnded(state) || running.length === 0 ? [] : [running.join(', ')]),
    ...(archives.total === null ? [] : [`${extent(archives)} databases`]),
    ...waiting.map(
      ({ step, error }) =>
        `WAITING for: thaw decide ${restoreId} ${step} retry|skip|abort (${error.message})`,
    ),
  ].join('  ');
}

/** `running  recover  0/3000060  2026-01-04T09:59:30.000000Z`. */
function pitrLine({ state, reason, pitrStep, into, bytes, now }: PitrProgress): string {
  const isRead = now !== null && now.bytes > 0;
  return [
    state.replaceAll('_', ' ') + (reason === null ? '' : ` (${reason})`),
    ...(isEnded(state) ? [] : [pitrStep]),
    into,
    ...(isRead && pitrStep === 'unpack'
      ? [`${formatBytes(now.bytes)} of ${formatBytes(bytes.total ?? now.bytes)}`]
      : []),
    ...(isRead && pitrStep === 'fetch' ? [formatBytes(now.bytes)] : []),
    ...(now?.lsn ? [now.lsn, now.time ?? ''] : []),
  ].join('  ');
}

/** `running  stage  3/7 tables  public.orders 42 %  ETA 12 s`. */
function snapshotLine({ state, reason, snapshotStep, steps }: SnapshotProgress): string {
  const isDone = (status: string) => status === (snapshotStep === 'merge' ? 'merged' : 'staged');
  const current = steps.find(({ status }) => status === 'staging' || status === 'merging');
  const isCounted = snapshotStep === 'stage' || snapshotStep === 'merge';
  return [
    state.replaceAll('_', ' ') + (reason === null ? '' : ` (${reason})`),
    ...(isEnded(state) ? [] : [snapshotStep]),
    ...(isCounted ? [`${steps.filter(({ status }) => isDone(status)).length}/${steps.length} tables`] : []),
    ...(current === undefined ? [] : [`${current.table} ${current.progress_pct} %`]),
    ...(current?.eta_seconds == null ? [] : [`ETA ${formatSeconds(current.eta_seconds)}`]),
  ].join('  ');
}

/** `running  412,000 of 1,035,000 rows  61,200 deleted  350,800 brought back`. */
function undoLine(progress: UndoProgress): string {
  const { state, reason, undoing } = progress;
  const { done, total } = undoExtent(progress);
  const deleted = undoing.reduce((sum, table) => sum + table.deleted, 0);
  return [
    state.replaceAll('_', ' ') + (reason === null ? '' : ` (${reason})`),
    ...(undoing.length === 0
      ? []
      : [
          `${formatCount(done)} of ${formatCount(total)} rows`,
          `${formatCount(deleted)} deleted`,
          `${formatCount(progress.tally.rows.updated)} brought back`,
        ]),
  ].join('  ');
}

/** How much of a restore is done, from 0 to 1, by bytes or, of an undo, rows; 0 while nobody knows how much there is. */
export function doneShare(progress: RestoreProgress): number {
  if (isSnapshotProgress(progress)) return snapshotShare(progress);
  const { bytes, archives } = progress;
  const { done, total } = isUndoProgress(progress) ? undoExtent(progress) : bytes.total ? bytes : archives;
  return total === null || total === 0 ? 0 : Math.min(done / total, 1);
}

function extent({ done, total }: Extent): string {
  return total === null ? formatCount(done) : `${formatCount(done)}/${formatCount(total)}`;
}
