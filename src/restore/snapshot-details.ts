import type { SnapshotTableResult } from '../contract/snapshot.ts';
import type { SnapshotProgress } from '../contract/snapshot-restore.ts';
import { clip } from './clip.ts';
import { listLines } from './details.ts';
import { formatCount, formatCounted } from './format.ts';
import { tellSource } from './snapshot-progress.ts';

/** What the Temporal UI shows of a restore of a snapshot, in Markdown. */
export function describeSnapshot(progress: SnapshotProgress): string {
  const { state, database, source, strategy, snapshotStep, outcome, reason } = progress;
  const error = outcome?.error ?? null;
  const step = outcome === null ? `: ${snapshotStep}` : '';
  const head = [
    `**${state}** \`${database}\` to ${line(tellSource(source))} (${strategy})${reason === null ? '' : ` (${line(reason)})`}${step}`,
    ...(progress.preSnapshotId === null ? [] : ['', `Taken before: snapshot \`${progress.preSnapshotId}\``]),
    ...(error === null ? [] : ['', `**${error.code}** ${line(error.message)}`]),
    ...progress.notices.slice(0, shownLines).flatMap((notice) => ['', line(notice)]),
  ];
  const tables = outcome?.state === 'completed' ? tableCounts(outcome.tables) : tableStates(progress);
  return listLines(head, [...tables, ...heldKeys(progress), ...waits(progress)], 'lines');
}

/** Of each section so many are shown; all of it stays below what Temporal takes. */
const shownLines = 15;

const kinds = ['inserted', 'updated', 'deleted', 'unchanged'] as const;

function tableCounts(tables: readonly SnapshotTableResult[]): string[] {
  const row = (name: string, of: (kind: (typeof kinds)[number]) => number) =>
    `| ${[name, ...kinds.map((kind) => formatCount(of(kind)))].join(' | ')} |`;
  return [
    ...['', `| table | ${kinds.join(' | ')} |`, '|---|---:|---:|---:|---:|'],
    ...tables
      .slice(0, shownLines)
      .map((table) => row(`\`${cell(`${table.schema}.${table.table}`)}\``, (kind) => table[kind])),
    row(`${formatCounted(tables.length, 'table')} in all`, (kind) =>
      tables.reduce((sum, table) => sum + table[kind], 0),
    ),
  ];
}

function tableStates({ steps }: SnapshotProgress): string[] {
  const lines = steps.map(({ table, status }) => `* \`${line(table)}\`: ${status}`);
  return lines.length === 0 ? [] : ['', ...shown(lines, 'tables')];
}

function heldKeys({ keys, outcome }: SnapshotProgress): string[] {
  if (keys.length === 0 || (outcome !== null && outcome.transactionId === null)) return [];
  const lines = keys.map(({ name, table, hold }) => `* \`${line(name)}\` of \`${line(table)}\`: ${hold}`);
  const when = outcome === null ? 'are' : 'were';
  return ['', `Foreign keys, while rows ${when} merged:`, '', ...shown(lines, 'foreign keys')];
}

/** Once it has ended, nobody waits any more. */
function waits({ locks, outcome }: SnapshotProgress): string[] {
  const lines = locks
    .filter(({ lock }) => lock === 'access exclusive')
    .map(({ table, why }) => `* \`${line(table)}\`: ${line(why)}`);
  if (lines.length === 0 || outcome !== null) return [];
  return ['', 'Readers wait, while rows are merged, for:', '', ...shown(lines, 'tables')];
}

function shown(lines: readonly string[], what: string): string[] {
  const left = lines.length - shownLines;
  return left > 0 ? [...lines.slice(0, shownLines), `* and ${formatCount(left)} more ${what}`] : [...lines];
}

function cell(text: string): string {
  return line(text).replaceAll('|', '\\|');
}

function line(text: string): string {
  return clip(text.replaceAll(/\s+/g, ' '), 200);
}
