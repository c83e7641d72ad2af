import { sourceText } from '../client/snapshot-source.ts';
import type { SnapshotTableName, SnapshotTableResult } from '../contract/snapshot.ts';
import type { RowText } from '../contract/snapshot-difference.ts';
import type {
  DifferenceSample,
  HeldKey,
  SnapshotPreview,
  TablePreview,
} from '../contract/snapshot-preview.ts';
import { clip } from '../restore/clip.ts';
import { columns } from '../restore/columns.ts';
import { formatCount } from '../restore/format.ts';
import { printable } from '../restore/printable.ts';
import { changedColumns } from '../snapshot/merge/difference-file.ts';
import { changedRows } from '../snapshot/merge/found-differences.ts';
import type { SnapshotChoice } from './snapshot-choice.ts';

/** Bytes that are shown of a value. */
const shownBytes = 60;

const counted = ['inserted', 'updated', 'deleted', 'unchanged'] as const;

/** What a restore of a snapshot would do, for people. */
export function snapshotPreviewLines(choice: SnapshotChoice, preview: SnapshotPreview): string[] {
  const { tables, foreignKeys, locks, issues, ifUnchanged, notices } = preview;
  const changed = tables.filter((table) => changedRows(table) > 0);
  return [
    `PREVIEW: ${choice.strategy} of ${choice.database.name} with snapshot ${printable(sourceText(choice.source))}`,
    ...countLines(tables),
    ...changed.flatMap((table) => [
      `${nameOf(table)}:`,
      ...table.samples.map(sampleLine),
      ...restLines(table),
    ]),
    ...(foreignKeys.length === 0
      ? []
      : ['Foreign keys, while rows are merged:', ...foreignKeys.map(keyLine)]),
    'Locks, until the commit:',
    ...locks.map(({ table, lock, why }) => `  ${nameOf(table)}: ${lock}, ${waits[lock]} (${printable(why)})`),
    ...tables.flatMap((table) =>
      table.triggers.map((name) => `Note: ${nameOf(table)}: trigger ${printable(name)} does not fire`),
    ),
    ...notices.map((notice) => `Note: ${printable(notice)}`),
    ...(issues.length === 0
      ? []
      : ['The restore would be refused:', ...issues.map(({ issue }) => `  ${printable(issue)}`)]),
    'Nothing was changed. To restore only if the tables are still as they are now:',
    `  --if-unchanged ${ifUnchanged}`,
  ];
}

const waits = {
  'share row exclusive': 'writers wait',
  'access exclusive': 'readers and writers wait',
} as const;

/** The same for programs. */
export function snapshotPreviewJson(choice: SnapshotChoice, preview: SnapshotPreview) {
  const { source, database, strategy, newerBy, tenant, pointInTime } = choice;
  return {
    dryRun: true,
    source,
    database: database.name,
    strategy,
    newerBy,
    tenant,
    pointInTime,
    ...preview,
  };
}

function countLines(tables: readonly SnapshotTableResult[]): string[] {
  const row = (name: string, of: SnapshotTableResult | null) => [
    name,
    ...counted.map((kind) =>
      formatCount(of === null ? tables.reduce((sum, table) => sum + table[kind], 0) : of[kind]),
    ),
  ];
  const cells = tables.map((table) => row(nameOf(table), table));
  const sum = tables.length > 1 ? [row('in all', null)] : [];
  return columns(
    [['TABLE', 'INSERT', 'UPDATE', 'DELETE', 'UNCHANGED'], ...cells, ...sum],
    new Set([1, 2, 3, 4]),
  );
}

function sampleLine({ kind, key, before, after }: DifferenceSample): string {
  const named = key === null ? '' : ` ${pairs(key)}`;
  if (before === undefined || after === undefined) return `  ${kind}${named || ' a row without a key'}`;
  if (before === null || after === null) return `  ${kind}${named}: ${pairs(before ?? after ?? {})}`;
  const changes = changedColumns(before, after).map(
    (name) => `${printable(name)} ${valueText(before[name])} -> ${valueText(after[name])}`,
  );
  return `  ${kind}${named}: ${changes.join(', ')}`;
}

/** How many differences are not among the samples. */
function restLines(table: TablePreview): string[] {
  const more = changedRows(table) - table.samples.length;
  return more > 0 ? [`  … and ${formatCount(more)} more`] : [];
}

function pairs(row: RowText): string {
  return Object.entries(row)
    .map(([name, value]) => `${printable(name)}=${valueText(value)}`)
    .join(' ');
}

function valueText(value: string | null | undefined): string {
  return value === null || value === undefined ? 'NULL' : clip(printable(JSON.stringify(value)), shownBytes);
}

function keyLine({ name, table, refersTo, hold }: HeldKey): string {
  return `  ${printable(name)} of ${nameOf(table)} to ${nameOf(refersTo)}: ${hold}`;
}

function nameOf({ schema, table }: SnapshotTableName): string {
  return printable(`${schema}.${table}`);
}
