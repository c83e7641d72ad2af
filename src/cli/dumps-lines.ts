import type { KnownDump } from '../dump/choose/known-dumps.ts';
import { dumpTime } from '../dump/choose/list-dumps.ts';
import type { DumpHead } from '../dump/choose/look-into.ts';
import { columns } from '../restore/columns.ts';
import { formatBytes } from '../restore/format.ts';

/** Dumps under a heading, for people. */
export function dumpsLines(dumps: readonly KnownDump[], now: number): string[] {
  if (dumps.length === 0) return [];
  const heading = ['TAKEN', 'AGE', 'SIZE', 'FORMAT', 'SERVER', 'VERIFIED', 'KEY'];
  const rows = dumps.map((dump) => [
    // Of one without a time in its name the time of its last change, which a copy is.
    `${new Date(dumpTime(dump)).toISOString().slice(0, 19)}Z${dump.takenAt === null ? '?' : ''}`,
    ageText((now - dumpTime(dump)) / 1000),
    formatBytes(dump.bytes),
    formatText(dump),
    dump.serverVersion ?? '-',
    markText(dump),
    dump.key,
  ]);
  return columns([heading, ...rows], new Set([1, 2]));
}

/** The same for programs. */
export function dumpJson(dump: KnownDump, now: number) {
  const { key, bytes, etag, takenAt, modifiedAt, storageClass, compression, format, foreign } = dump;
  const { serverVersion, provedAt, fault, verifiedAt } = dump;
  const ageSeconds = Math.round((now - dumpTime(dump)) / 1000);
  return {
    ...{ key, bytes, etag, takenAt, modifiedAt, ageSeconds, storageClass, compression, format, foreign },
    ...{ serverVersion, provedAt, fault, verifiedAt },
  };
}

/** `40 min`, `13 h`, `12 d`. */
export function ageText(seconds: number): string {
  if (seconds < 3600) return `${Math.max(0, Math.floor(seconds / 60))} min`;
  const hours = Math.floor(seconds / 3600);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`;
}

function formatText({ format, foreign, compression }: DumpHead): string {
  const what = format ?? foreign ?? '?';
  return compression === 'none' ? what : `${what}, ${compression}`;
}

function markText({ verifiedAt, provedAt, fault }: KnownDump): string {
  if (fault !== null) return 'bad';
  if (verifiedAt !== null) return 'verified';
  return provedAt === null ? '-' : 'proved';
}
