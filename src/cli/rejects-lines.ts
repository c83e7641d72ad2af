import type { RejectedArchive, RejectReason } from '../postgres/kept-rows.ts';
import { formatCount } from '../restore/format.ts';

/** Archives of a table that are named. */
const shownArchives = 20;

/** What is kept of rejected rows, for people: each restore and table with its reasons and archives. */
export function rejectsLines(archives: readonly RejectedArchive[]): string[] {
  const kept = archives.filter(({ rows }) => rows > 0);
  const restored = sum(archives, 'restored');
  const later = restored === 0 ? [] : [`Restored by a retry since: ${formatCount(restored)}`];
  if (kept.length === 0) return ['No rejected rows are kept.', ...later];
  const tables = new Map<string, RejectedArchive[]>();
  for (const archive of kept) {
    const name = `${archive.restoreId}  ${archive.target}`;
    tables.set(name, [...(tables.get(name) ?? []), archive]);
  }
  return [...[...tables].flatMap(([name, list]) => tableLines(name, list)), ...later];
}

function tableLines(name: string, archives: readonly RejectedArchive[]): string[] {
  const more = archives.length - shownArchives;
  return [
    `${name}: ${formatCount(sum(archives, 'rows'))} rows of ${formatCount(archives.length)} archives`,
    ...reasonLines(archives.flatMap(({ reasons }) => reasons)),
    ...archives.slice(0, shownArchives).map(({ key, rows, reasons }) => {
      const first = Math.min(...reasons.map(({ line }) => line));
      return `  ${key}: ${formatCount(rows)}, the first in line ${first}`;
    }),
    ...(more > 0 ? [`  ... and ${formatCount(more)} more archives`] : []),
  ];
}

function reasonLines(reasons: readonly RejectReason[]): string[] {
  const counts = new Map<string, number>();
  for (const { message, rows } of reasons) counts.set(message, (counts.get(message) ?? 0) + rows);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([message, rows]) => `  ${formatCount(rows)} x ${message}`);
}

function sum(archives: readonly RejectedArchive[], field: 'rows' | 'restored'): number {
  return archives.reduce((total, archive) => total + archive[field], 0);
}
