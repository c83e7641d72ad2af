import type { RestoreRequest } from '../contract/restore-request.ts';
import type { Estimate, RehearsedOutcome } from '../preview/rehearse-table.ts';
import type { TablePreview } from '../preview/restore-preview.ts';
import { formatBytes, formatCount, formatCounted, formatSeconds } from '../restore/format.ts';
import { addTallies, emptyTally } from '../restore/tally.ts';
import { describeFrozen, frozenObjects } from '../store/storage-class.ts';
import { errorLines } from './summary.ts';

/** Keys that are shown by name. */
const shownKeys = 10;

/** What a restore would do, for people; the first lines are those of the archive guide's tool. */
export function previewLines(request: RestoreRequest, previews: readonly TablePreview[]): string[] {
  const archives = previews.flatMap((preview) => preview.archives);
  const bytes = archives.reduce((sum, archive) => sum + archive.bytes, 0);
  const earlier = previews.reduce((sum, preview) => sum + preview.earlier, 0);
  const targets = previews.map(({ table }) => `${table.intoSchema}.${table.intoTable}`);
  return [
    `DRY RUN: Would restore ${archives.length} archive file(s):`,
    ...archives.slice(0, shownKeys).map(({ key }) => `  - ${key}`),
    ...(archives.length > shownKeys ? [`  ... and ${archives.length - shownKeys} more`] : []),
    `Into: ${targets.join(', ')} of ${request.database}, ${formatBytes(bytes)} compressed`,
    ...previews.flatMap(targetLines),
    ...sumLines(previews),
    ...basisLines(previews, request),
    ...unknownLines(previews.reduce((sum, { totals }) => sum + totals.unknown, 0)),
    ...earlierLines(earlier, request),
    ...previews.flatMap(noticeLines),
    ...describeFrozen(frozenObjects(archives)),
  ];
}

/** The same for programs. */
export function previewJson(request: RestoreRequest, previews: readonly TablePreview[]) {
  return {
    dryRun: true,
    database: request.database,
    ignoreWatermark: request.options.ignoreWatermark,
    tables: previews.map(({ table, archives, earlier, totals, outcome, notices }) => ({
      ...table,
      earlier,
      ...totals,
      archives: archives.map(({ key, bytes, storageClass }) => ({ key, bytes, storageClass })),
      notices,
      outcome,
    })),
  };
}

function targetLines({ table, archives, totals, outcome }: TablePreview): string[] {
  const parts = [
    formatCounted(archives.length, 'archive'),
    `${formatCount(totals.rows)} rows`,
    `${formatBytes(totals.uncompressedBytes)} uncompressed`,
  ];
  const line = `  ${table.intoSchema}.${table.intoTable}: ${parts.join(', ')}`;
  if (outcome === null) return [line];
  return [
    line,
    `    ${countsLine(outcome)}`,
    `    ${estimateLine(outcome.estimate)}`,
    ...failureLines(outcome),
  ];
}

function countsLine({ tally }: Pick<RehearsedOutcome, 'tally'>): string {
  const { inserted, updated, skipped, failed } = tally.rows;
  const counts = { inserted, updated, skipped, failed };
  const rows = Object.entries(counts).map(([what, count]) => `${formatCount(count)} ${what}`);
  const bad = tally.archives.failed;
  return `rows: ${rows.join(', ')}${bad === 0 ? '' : `; ${formatCounted(bad, 'archive')} would fail`}`;
}

function estimateLine({ seconds, diskBytes }: Estimate): string {
  return `estimate: at most ${formatSeconds(Math.max(seconds, 1))}, ${formatBytes(diskBytes)} more on disk`;
}

function failureLines({ failures, error }: RehearsedOutcome): string[] {
  return [
    ...failures.flatMap((failure) => [
      `    Would fail: ${failure.archive}`,
      ...errorLines(failure).map(deeper),
    ]),
    ...(error === null ? [] : errorLines(error).map(deeper)),
  ];
}

function deeper(line: string): string {
  return `      ${line}`;
}

const nothing: Estimate = { seconds: 0, diskBytes: 0 };

/** How estimates come about. */
function basisLines(previews: readonly TablePreview[], { options }: RestoreRequest): string[] {
  if (previews.every(({ outcome }) => outcome === null)) return [];
  return [
    `Note: estimates are measured by this dry run: the time that it took, one archive after the other, where the restore loads up to ${options.lanes} at once; the size of the rows in temporary tables, and of indexes by their share of the table now`,
  ];
}

/** Of several tables. */
function sumLines(previews: readonly TablePreview[]): string[] {
  const outcomes = previews.flatMap(({ outcome }) => (outcome === null ? [] : [outcome]));
  if (previews.length < 2 || outcomes.length < previews.length) return [];
  const tally = outcomes.reduce((sum, outcome) => addTallies(sum, outcome.tally), emptyTally);
  const estimate = outcomes.reduce((sum, { estimate: { seconds, diskBytes } }) => {
    return { seconds: sum.seconds + seconds, diskBytes: sum.diskBytes + diskBytes };
  }, nothing);
  return [`  In sum: ${countsLine({ tally })}`, `    ${estimateLine(estimate)}`];
}

function unknownLines(unknown: number): string[] {
  if (unknown === 0) return [];
  return [
    `Note: rows and sizes by metadata leave out ${formatCount(unknown)} of them, whose metadata does not tell`,
  ];
}

function earlierLines(earlier: number, { options, keys }: RestoreRequest): string[] {
  const restored = `${formatCount(earlier)} archive${earlier === 1 ? ' was' : 's were'} already restored`;
  if (!options.ignoreWatermark) return [`Note: ${restored}, and would be left out`];
  const why = keys === null ? 'the watermark is ignored' : 'archives are named by --s3-key';
  return [`Note: ${restored}, and would be restored again, since ${why}`];
}

function noticeLines({ table, notices, outcome }: TablePreview): string[] {
  const target = `${table.intoSchema}.${table.intoTable}`;
  const all = [...notices, ...(outcome?.notices ?? []), ...(outcome?.unforeseen ?? [])];
  return all.map((notice) => `Note: ${target}: ${notice}`);
}
