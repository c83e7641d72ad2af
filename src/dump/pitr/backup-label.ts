import { ThawError } from '../../contract/thaw-error.ts';
import { parseLsn } from './wal-name.ts';

/** What `backup_label` says: every base backup has one. */
export interface BackupLabel {
  /** Where recovery begins to read WAL. */
  readonly start: bigint;
  /** Name of the segment that lies in. */
  readonly segment: string;
  readonly timeline: number;
  /** ISO 8601; null where its time zone is an abbreviation that has several meanings. */
  readonly startedAt: string | null;
}

/** Ends of the backup, as far as `backup_manifest` or the history file in the archive tells. */
export interface BackupEnd {
  readonly lsn: bigint | null;
  /** ISO 8601. */
  readonly time: string | null;
}

/**
 * Reads `backup_label`, or the `.backup` file that PostgreSQL archives at the end of a base backup and that has the
 * same lines.
 *
 * @throws ThawError `ArchiveCorrupt` for what is none
 */
export function parseLabel(text: string, object: string): BackupLabel {
  const [, start, segment] = /^START WAL LOCATION: (\S+) \(file ([0-9A-F]{24})\)$/m.exec(text) ?? [];
  const lsn = parseLsn(start ?? '');
  if (lsn === null || segment === undefined) {
    throw new ThawError('ArchiveCorrupt', `${object} does not tell where the WAL of the backup begins.`, {
      object,
      hint: 'It is no backup_label as PostgreSQL writes it; take another base backup.',
    });
  }
  const timeline = Number(
    /^START TIMELINE: (\d+)$/m.exec(text)?.[1] ?? Number.parseInt(segment.slice(0, 8), 16),
  );
  return { start: lsn, segment, timeline, startedAt: timeIn(text, 'START TIME') };
}

/** The end of a backup by its `.backup` file. */
export function parseBackupEnd(text: string): BackupEnd {
  const [, stop] = /^STOP WAL LOCATION: (\S+) /m.exec(text) ?? [];
  return { lsn: parseLsn(stop ?? ''), time: timeIn(text, 'STOP TIME') };
}

/** `2026-01-04 05:20:21 UTC`; abbreviations other than that mean several zones. */
function timeIn(text: string, what: string): string | null {
  const [, day, clock, zone] =
    new RegExp(
      `^${what}: (\\d{4}-\\d\\d-\\d\\d) (\\d\\d:\\d\\d:\\d\\d) (UTC|GMT|[+-]\\d\\d(?::?\\d\\d)?)$`,
      'm',
    ).exec(text) ?? [];
  if (day === undefined || zone === undefined) return null;
  const offset = /^[+-]/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}` : 'Z';
  return new Date(`${day}T${clock}${offset}`).toISOString();
}
