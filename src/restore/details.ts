import type { LoadInput, LoadOutcome } from '../contract/activities.ts';
import type { ArchiveFailure, Tally } from '../contract/outcome.ts';
import type { Extent, RestoreProgress, TableProgress } from '../contract/progress.ts';
import { rowsRestored } from './tally.ts';

/** Current details of a workflow may have 20 KB; a list of 250 archives with a line each stays below 16. */
const maxLines = 120;

/** What the Temporal UI shows of a load, in Markdown: each archive, and how it ended. */
export function describeLoad(input: LoadInput, outcome: LoadOutcome | null): string {
  const failed = new Map(outcome?.failures.map((failure) => [failure.archive, failure]));
  const lines = input.archives.slice(0, maxLines).map((archive) => {
    const failure = failed.get(input.folder + archive.name);
    const state = failure ? `**${failure.code}** ${failure.message}` : outcome ? 'done' : 'loading';
    return `* \`${archive.name}\` ${formatBytes(archive.bytes)}: ${state}`;
  });
  if (input.archives.length > maxLines) lines.push(`* and ${input.archives.length - maxLines} more`);
  const head = outcome ? describeTally(outcome.tally) : `${input.archives.length} archive(s) being loaded`;
  return [head, '', ...lines].join('\n');
}

/** What the Temporal UI shows of a table. */
export function describeTable(progress: TableProgress): string {
  return [
    `**${progress.state}** \`${progress.target}\`: ${formatExtent(progress.archives)} archives, ${describeTally(progress.tally)}`,
    ...(progress.inFlight.length > 0
      ? ['', `In flight: ${progress.inFlight.map((what) => `\`${what}\``).join(', ')}`]
      : []),
    ...describeFailures(progress.failures, progress.tally.archives.failed),
  ].join('\n');
}

/** What the Temporal UI shows of a restore. */
export function describeRestore(progress: RestoreProgress): string {
  const reason = progress.reason === null ? '' : ` (${progress.reason})`;
  return [
    `**${progress.state}**${reason} \`${progress.database}\`: ${describeTally(progress.tally)}`,
    '',
    '| table | state | archives | restored | skipped | failed |',
    '|---|---|---:|---:|---:|---:|',
    ...progress.tables.slice(0, maxLines).map((table) => {
      const { rows } = table.tally;
      return `| \`${table.target}\` | ${table.state} | ${formatExtent(table.archives)} | ${formatCount(rowsRestored(rows))} | ${formatCount(rows.skipped)} | ${formatCount(rows.failed)} |`;
    }),
    ...describeFailures(progress.failures, progress.tally.archives.failed),
  ].join('\n');
}

/** A number with thousands separated: `1,035,000`. */
export function formatCount(value: number): string {
  return value.toString().replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Bytes in the unit that gives up to four digits. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

function formatExtent(extent: Extent): string {
  return extent.total === null
    ? formatCount(extent.done)
    : `${formatCount(extent.done)} of ${formatCount(extent.total)}`;
}

function describeTally({ rows, archives }: Tally): string {
  const earlier = archives.earlier > 0 ? `, ${formatCount(archives.earlier)} archives restored earlier` : '';
  return `${formatCount(rows.inserted)} inserted, ${formatCount(rows.updated)} updated, ${formatCount(rows.skipped)} skipped, ${formatCount(rows.failed)} failed${earlier}`;
}

function describeFailures(failures: readonly ArchiveFailure[], count: number): string[] {
  if (count === 0) return [];
  const lines = failures.map((failure) => `* \`${failure.archive}\`: **${failure.code}** ${failure.message}`);
  if (count > failures.length) lines.push(`* and ${formatCount(count - failures.length)} more`);
  return ['', `${formatCount(count)} failed archive(s):`, ...lines];
}
