import { statfs } from 'node:fs/promises';
import path from 'node:path';
import type { PitrPlan, PitrRequest } from '../../contract/pitr.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { formatBytes } from '../../restore/format.ts';
import { type BackupEnd, parseBackupEnd } from './backup-label.ts';
import { type BaseBackup, findBase } from './base-backup.ts';
import { walSetup } from './hints.ts';
import type { Place } from './place.ts';
import { stretches, targetTimeline } from './timelines.ts';
import { headOf, listWal, readWalText, type WalArchive } from './wal-archive.ts';
import { formatLsn, later, parseLsn, segmentOf } from './wal-name.ts';
import { type WalRun, walRun } from './wal-run.ts';

/** WAL that a recovery needs, as it lies in the archive. */
export interface NeededWal {
  readonly archive: WalArchive;
  readonly run: WalRun;
  readonly segmentBytes: number;
}

/** Left free, so that nothing else on the disk stops. */
const reserve = 64 * 2 ** 20;

/**
 * Sees that a base backup can be recovered to the target: that it is one, that the target lies behind it and not in the
 * future, and that no WAL is missing up to there.
 *
 * @throws ThawError `ArchiveNotFound` for a base backup or WAL that is not there, naming the segment; `InputInvalid` for
 * a target that cannot be; `ConfigInvalid` for want of space
 */
export async function checkBase(
  request: PitrRequest,
  base: Place,
  wal: Place,
  signal?: AbortSignal,
): Promise<Omit<PitrPlan, 'searchAttributes'>> {
  const { target } = request;
  if (target.kind === 'time' && Date.parse(target.time) > Date.now()) {
    throw refusedTarget(
      `${target.time} is in the future.`,
      'Name a time that has passed, or leave it out for all that is archived.',
    );
  }
  const backup = await findBase(base, signal);
  const needed = await neededWal(request, backup, wal, signal);
  const { run, segmentBytes, archive } = needed;
  const end = await endOf(backup, archive, wal);
  checkTarget(request, backup, end);
  const notices = checkRun(request, backup, end, needed, wal.name);
  const [first, last] = [run.names[0] ?? '', run.names.at(-1) ?? ''];
  const bytes = backup.manifest?.bytes ?? backup.objects.reduce((sum, object) => sum + object.bytes, 0);
  await checkSpace(request.into, bytes + run.names.length * segmentBytes);
  return {
    ...{ kind: backup.kind, startLsn: formatLsn(backup.label.start), startedAt: backup.label.startedAt },
    ...{ timeline: backup.label.timeline, bytes, notices },
    wal: { first, last, segments: run.names.length, missing: run.missing },
  };
}

/**
 * The WAL from the beginning of a backup on, along the timelines that lead to the one that is asked for.
 *
 * @throws ThawError `ArchiveNotFound` where there is none; `InputInvalid` for a timeline that does not come from that of
 * the backup
 */
export async function neededWal(
  { timeline: asked }: Pick<PitrRequest, 'timeline'>,
  { label, wal: own }: BaseBackup,
  wal: Place,
  signal?: AbortSignal,
): Promise<NeededWal> {
  const archive = await listWal(wal, label.segment, signal);
  const [some] = archive.segments.values();
  if (some === undefined) {
    const what = archive.isEmpty
      ? 'no WAL at all'
      : `no WAL from ${label.segment} on, where the base backup begins`;
    throw new ThawError('ArchiveNotFound', `${wal.name} holds ${what}.`, {
      object: wal.name,
      hint: walSetup,
    });
  }
  const { segmentBytes } = await headOf(wal, some);
  const timeline = targetTimeline(asked, label.timeline, new Set(archive.histories.keys()));
  const history = archive.histories.get(timeline);
  if (timeline !== label.timeline && history === undefined) {
    throw new ThawError('ArchiveNotFound', `${wal.name} has no history of timeline ${timeline}.`, {
      object: wal.name,
      hint: 'Copy its .history file there, or name another timeline with --target-timeline.',
    });
  }
  const text = history === undefined ? null : await readWalText(wal, history);
  const path = stretches(timeline, text, label.timeline, label.start);
  const names = new Set([...archive.segments.keys(), ...own]);
  return { archive, segmentBytes, run: walRun(path, label.start, segmentBytes, names) };
}

/** Where a backup is consistent, and when it was over. */
async function endOf({ manifest }: BaseBackup, { backupEnd }: WalArchive, wal: Place): Promise<BackupEnd> {
  const told = backupEnd === null ? null : parseBackupEnd(await readWalText(wal, backupEnd));
  return { lsn: manifest?.end ?? told?.lsn ?? null, time: told?.time ?? null };
}

function checkTarget({ target }: PitrRequest, { label }: BaseBackup, end: BackupEnd): void {
  const hint = 'Take an earlier base backup: from this one, only what came after it can be recovered.';
  if (target.kind === 'time') {
    const time = Date.parse(target.time);
    // Told in whole seconds. What was committed before the beginning is in the backup whatever the target says;
    // what was committed while it ran, PostgreSQL itself stops at.
    if (label.startedAt !== null && time < Date.parse(label.startedAt) + 1000) {
      throw refusedTarget(
        `${target.time} is before the base backup, which began at ${label.startedAt} or up to a second later.`,
        hint,
      );
    }
    if (end.time === null || time >= Date.parse(end.time)) return;
    throw refusedTarget(`${target.time} is before the end of the base backup at ${end.time}.`, hint);
  }
  if (target.kind === 'lsn') {
    const least = end.lsn ?? label.start;
    if ((parseLsn(target.lsn) ?? 0n) >= least) return;
    throw refusedTarget(`${target.lsn} is before ${formatLsn(least)}, where the base backup ends.`, hint);
  }
}

/** @returns what the user should know of the end of the WAL */
function checkRun(
  { target }: PitrRequest,
  { label }: BaseBackup,
  end: BackupEnd,
  { run, segmentBytes, archive }: NeededWal,
  place: string,
): string[] {
  const atLeast = [label.start, end.lsn ?? label.start];
  if (target.kind === 'lsn') atLeast.push(parseLsn(target.lsn) ?? 0n);
  const upTo = atLeast.reduce(later);
  // A position that a segment ends with belongs to it.
  const least = segmentOf(upTo > label.start ? upTo - 1n : upTo, segmentBytes);
  if (run.last < least) {
    if (run.missing !== null) throw missing(run.missing, place);
    const last = run.names.at(-1);
    const what = last === undefined ? `it lacks ${label.segment}` : `its last segment is ${last}`;
    throw new ThawError(
      'ArchiveNotFound',
      `${place} ends before ${formatLsn(upTo)}, which is needed: ${what}.`,
      {
        object: place,
        hint: 'Wait until the server has archived more (select pg_switch_wal()), or name an earlier target.',
      },
    );
  }
  if (run.missing === null || target.kind === 'lsn') return [];
  const last = archive.segments.get(run.names.at(-1) ?? '');
  // What is archived was written before: a target after that lies behind the gap.
  const isBehind = target.kind === 'time' && last !== undefined && last.modifiedAt < target.time;
  if (target.kind === 'latest' || isBehind) throw missing(run.missing, place);
  return [`${run.missing} is missing in ${place}: nothing from there on can be recovered.`];
}

async function checkSpace(into: string, bytes: number): Promise<void> {
  const parent = path.dirname(into);
  const found = await statfs(parent).catch(() => null);
  if (found === null || found.bavail * found.bsize >= bytes + reserve) return;
  throw new ThawError(
    'ConfigInvalid',
    `${parent} has no room for ${formatBytes(bytes)}, the size of base backup and WAL`,
    {
      object: into,
      hint: 'Free space there, or name a folder of a larger disk.',
    },
  );
}

function missing(segment: string, place: string): ThawError {
  return new ThawError(
    'ArchiveNotFound',
    `${segment} is missing in ${place}, and later segments are there.`,
    {
      object: segment,
      hint: `Bring it back (from a standby's or the server's own pg_wal), or stop before it: --target-lsn or --target-time of what lies before.`,
    },
  );
}

function refusedTarget(message: string, hint: string): ThawError {
  return new ThawError('InputInvalid', message, { object: 'target', hint });
}
