import type { SnapshotSummary } from '../contract/snapshot.ts';
import { columns } from '../restore/columns.ts';
import { formatBytes, formatCount, formatCounted } from '../restore/format.ts';

/** What a snapshot is, for people. */
export function summaryLines(summary: SnapshotSummary): string[] {
  const { id, name, type, createdAt, createdBy, expiresAt, database, tenant, tables, totalRows, bytes } =
    summary;
  const cells = tables.map(({ schema, table, rows }) => [`${schema}.${table}`, formatCount(rows)]);
  return [
    `Snapshot ${id}${name === id ? '' : ` (${name})`}: ${type}, of ${database}`,
    `Taken: ${createdAt} by ${createdBy}`,
    `Kept: ${expiresAt === null ? 'until it is deleted' : `until ${expiresAt}`}`,
    ...(tenant === null ? [] : [`Only rows where ${tenant.column} is ${tenant.value}`]),
    ...columns([['TABLE', 'ROWS'], ...cells], new Set([1])),
    `${formatCounted(tables.length, 'table')}, ${formatCounted(totalRows, 'row')}, ${formatBytes(bytes)}`,
  ];
}

/** Snapshots under a heading, for people. */
export function snapshotsLines(snapshots: readonly SnapshotSummary[], now: number): string[] {
  if (snapshots.length === 0) return ['No snapshots.'];
  const cells = snapshots.map((snapshot) => [
    snapshot.id,
    snapshot.name === snapshot.id ? '-' : snapshot.name,
    snapshot.type,
    seconds(snapshot.createdAt),
    expiryText(snapshot.expiresAt, now),
    snapshot.database,
    snapshot.tenant === null ? '-' : `${snapshot.tenant.column}=${snapshot.tenant.value}`,
    formatCount(snapshot.tables.length),
    formatCount(snapshot.totalRows),
    formatBytes(snapshot.bytes),
  ]);
  const heading = ['ID', 'NAME', 'TYPE', 'TAKEN', 'EXPIRES', 'DATABASE', 'WHERE', 'TABLES', 'ROWS', 'BYTES'];
  return columns([heading, ...cells], new Set([7, 8, 9]));
}

function expiryText(expiresAt: string | null, now: number): string {
  if (expiresAt === null) return 'never';
  return Date.parse(expiresAt) <= now ? 'expired' : seconds(expiresAt);
}

function seconds(time: string): string {
  return `${time.slice(0, 19)}Z`;
}
