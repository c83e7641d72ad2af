import type { LoadInput, LoadOutcome } from '../contract/activities.ts';
import { archiveKey } from '../contract/names.ts';
import type { ArchiveFailure, Tally } from '../contract/outcome.ts';
import type { Extent, RestoreProgress, TableProgress } from '../contract/progress.ts';
import { byteLength, clip } from './clip.ts';
import { formatBytes, formatCount } from './format.ts';
import { rowsRestored } from './tally.ts';

/** Current details of a workflow stay below 16 KB in all. */
const maxBytes = 15_000;

/** The list of tables leaves room for failures. */
const tableBytes = 9_000;

/** No line takes more of them. */
const lineBytes = 600;

/** What the Temporal UI shows of a load, in Markdown: each archive, and how it ended. */
export function describeLoad(input: LoadInput, outcome: LoadOutcome | null): string {
  const states = outcome === null ? null : statesOf(input, outcome);
  const lines = input.archives.map((archive, index) => {
    const state = states === null ? 'loading' : (states.get(index) ?? 'done');
    return `* \`${archive.name}\` ${formatBytes(archive.bytes)}: ${state}`;
  });
  const head = outcome ? describeTally(outcome.tally) : `${countOf(lines.length, 'archive')} being loaded`;
  return listLines([head, ''], lines, 'archives');
}

/** What the Temporal UI shows of a table. */
export function describeTable(progress: TableProgress): string {
  const { state, target, archives, bytes, tally, inFlight, failures } = progress;
  const head = [
    `**${state}** \`${target}\`: ${formatExtent(archives)} archives${formatShare(archives)}, ${formatBytes(bytes.done)}${bytes.total === null ? '' : ` of ${formatBytes(bytes.total)}`}`,
    '',
    describeTally(tally),
  ];
  if (inFlight.length > 0) head.push('', `In flight: ${inFlight.map((what) => `\`${what}\``).join(', ')}`);
  return withFailures(head, failures, tally.archives.failed);
}

/**
 * What the Temporal UI shows of a restore.
 *
 * @param errors why tables could not be restored as a whole
 */
export function describeRestore(progress: RestoreProgress, errors: readonly string[]): string {
  const { state, database, reason, tally, tables, failures } = progress;
  const head = `**${state}** \`${database}\`${reason === null ? '' : ` (${clip(oneLine(reason), lineBytes)})`}: ${describeTally(tally)}`;
  const rows = tables.map((table) => {
    const { archives, rows: counts } = table.tally;
    const cells = [
      `\`${table.target}\``,
      table.state,
      `${formatExtent(table.archives)}${formatShare(table.archives)}`,
      formatCount(rowsRestored(counts)),
      formatCount(counts.skipped),
      formatCount(counts.failed),
      formatCount(archives.failed),
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  const table =
    rows.length === 0
      ? []
      : [
          '',
          '| table | state | archives | rows restored | skipped | failed | archives failed |',
          '|---|---|---:|---:|---:|---:|---:|',
        ];
  const about = errors.map((error) => `* ${clip(oneLine(error), lineBytes)}`);
  const top = listLines(
    [head, ...(about.length > 0 ? ['', ...about.slice(0, 10)] : []), ...table],
    rows,
    'tables',
    tableBytes,
  );
  return withFailures([top], failures, tally.archives.failed);
}

/** What became of archives that were not simply restored, by their place in the load. */
function statesOf(input: LoadInput, outcome: LoadOutcome): ReadonlyMap<number, string> {
  const failures = new Map(outcome.failures.map((failure) => [failure.archive, failure]));
  const deferred = new Set(outcome.deferred.map(({ index }) => index));
  // Only the first failures are known one by one.
  const unknown = outcome.tally.archives.failed > failures.size;
  const states = new Map<number, string>();
  input.archives.forEach((archive, index) => {
    const failure = failures.get(archiveKey(input.folder, archive.name));
    if (failure !== undefined) states.set(index, `**${failure.code}** ${oneLine(failure.message)}`);
    else if (deferred.has(index)) states.set(index, 'waits for rows of other archives');
    else if (unknown) states.set(index, 'done or failed');
  });
  return states;
}

function withFailures(head: readonly string[], failures: readonly ArchiveFailure[], count: number): string {
  if (count === 0) return listLines(head, [], '');
  const lines = failures.map(describeFailure);
  const more = count > lines.length ? [`* and ${formatCount(count - lines.length)} more`] : [];
  return listLines([...head, '', `${countOf(count, 'failed archive')}:`, ''], [...lines, ...more], 'lines');
}

/** Most messages begin with the key; it is not told twice. */
function describeFailure({ archive, code, message }: ArchiveFailure): string {
  const isNamed = message.includes(archive.slice(archive.lastIndexOf('/') + 1));
  return `* **${code}** ${isNamed ? '' : `\`${archive}\`: `}${oneLine(message)}`;
}

/** Puts as many lines behind the head as there is room for, and says how many are left out. */
export function listLines(
  head: readonly string[],
  lines: readonly string[],
  noun: string,
  bytes = maxBytes,
): string {
  const parts = [...head];
  let left = bytes - byteLength(head.join('\n'));
  for (const [index, line] of lines.entries()) {
    const clipped = clip(line, lineBytes);
    left -= byteLength(clipped) + 1;
    if (left < 0) {
      parts.push('', `and ${formatCount(lines.length - index)} more ${noun}`);
      break;
    }
    parts.push(clipped);
  }
  return parts.join('\n');
}

function formatExtent({ done, total }: Extent): string {
  return total === null ? formatCount(done) : `${formatCount(done)} of ${formatCount(total)}`;
}

/** Rounded down, so that only what is done says 100 %. */
function formatShare({ done, total }: Extent): string {
  return total === null || total === 0 ? '' : ` (${Math.floor((100 * done) / total)} %)`;
}

function describeTally({ rows, archives }: Tally): string {
  const earlier = archives.earlier > 0 ? `; ${countOf(archives.earlier, 'archive')} restored earlier` : '';
  return `rows: ${formatCount(rows.inserted)} inserted, ${formatCount(rows.updated)} updated, ${formatCount(rows.skipped)} skipped, ${formatCount(rows.failed)} failed${earlier}`;
}

function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** A line break would end the list or the table that a text stands in. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ');
}
