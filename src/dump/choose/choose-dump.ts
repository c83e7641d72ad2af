import type { ServiceConfig } from '../../config/thaw-config.ts';
import type { ChosenDumps } from '../../contract/dump-activities.ts';
import type { DumpChoice, DumpRef } from '../../contract/dump-request.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { frozenObjects } from '../../store/storage-class.ts';
import { isDumpOf } from './dump-name.ts';
import { dumpsOf } from './dump-store.ts';
import {
  beginningsOf,
  collectDumps,
  type DumpListing,
  dumpTime,
  type ListedDump,
  listDumps,
  toDump,
  unreadableNotices,
} from './list-dumps.ts';
import { fileKey, filesBeside } from './local-file.ts';

/** Earlier dumps that are told beyond those that may be taken, so that a good one can be named. */
const furtherTold = 3;

/**
 * Chooses a dump of a service.
 *
 * @param store of {@link openDumpStore}
 * @param fallback so many earlier ones may be taken in its place
 * @returns the chosen one, then earlier ones, some more than may be taken
 * @throws ThawError `ArchiveNotFound` naming where was looked and what is there; `ArchiveFrozen` where the chosen one has
 * to be thawed first; `InputInvalid` for a key that leads out of the place
 */
export async function chooseDump(
  store: ObjectStore,
  service: ServiceConfig,
  choice: DumpChoice,
  fallback: number,
  signal?: AbortSignal,
): Promise<ChosenDumps> {
  const { candidates, notices } = await chosen(store, service, choice, signal);
  const [first] = candidates;
  if (first === undefined) throw new TypeError('nothing was chosen');
  await demandReadable(store, candidates, signal);
  return { candidates: candidates.slice(0, 1 + fallback + furtherTold).map(refOf), notices };
}

/** The chosen one, and all before it. */
interface Chosen {
  readonly candidates: readonly ListedDump[];
  readonly notices: readonly string[];
}

async function chosen(
  store: ObjectStore,
  service: ServiceConfig,
  choice: DumpChoice,
  signal: AbortSignal | undefined,
): Promise<Chosen> {
  if (choice.kind === 'latest')
    return latest(store, service, await listDumps(store, service, signal), choice.before);
  if (choice.kind === 'file') {
    const key = await fileKey(choice.path);
    const isAsked = (name: string) => name === key || isDumpOf(name, beginningsOf(service));
    const files = filesBeside(store, choice.path, isAsked);
    return named(store, [key], await collectDumps(files, service, [key], ''));
  }
  const keys = keysOf(choice.key, dumpsOf(service).prefix);
  try {
    return named(store, keys, await listDumps(store, service, signal, keys));
  } catch (error) {
    // Whoever may read a dump need not be one who may list the bucket.
    if (error instanceof ThawError && error.code === 'PermissionDenied') return unlisted(store, keys, error);
    throw error;
  }
}

function latest(
  store: ObjectStore,
  service: ServiceConfig,
  listing: DumpListing,
  before: string | null,
): Chosen {
  const { dumps } = listing;
  const candidates = before === null ? dumps : dumps.filter((dump) => dumpTime(dump) <= Date.parse(before));
  const [first] = candidates;
  const unreadable = unreadableNotices(store, listing);
  if (first !== undefined)
    return { candidates, notices: [...unreadable, ...disagreement(first, candidates)] };
  const place = placeName(store, service);
  const oldest = dumps.reduce<ListedDump | null>(
    (least, dump) => (least === null || dumpTime(dump) < dumpTime(least) ? dump : least),
    null,
  );
  if (oldest !== null) {
    throw new ThawError(
      'ArchiveNotFound',
      `${place}: no dump of ${service.name} is from ${before} or earlier`,
      {
        object: place,
        hint: `The oldest is ${oldest.key} of ${timeText(oldest)}.`,
      },
    );
  }
  const names = beginningsOf(service).join(' or ');
  throw new ThawError(
    'ArchiveNotFound',
    `${place}: has no dump of ${service.name}, which is named ${names}, then - or _ and its time`,
    { object: place, hint: whatElse(listing) },
  );
}

/** The time in the name beats LastModified, which a copy of the bucket changes; what that means is said. */
function disagreement(first: ListedDump, candidates: readonly ListedDump[]): string[] {
  const modified = candidates.reduce((newest, dump) =>
    Date.parse(dump.modifiedAt) > Date.parse(newest.modifiedAt) ? dump : newest,
  );
  if (modified.key === first.key || modified.modifiedAt === first.modifiedAt) return [];
  return [
    `The newest dump by the time in its name is ${first.key} (${timeText(first)}), which is taken; ` +
      `by LastModified it is ${modified.key} (${modified.modifiedAt}).`,
  ];
}

/** The first of some keys that is there, then the dumps that are older than it. */
function named(store: ObjectStore, keys: readonly string[], listing: DumpListing): Chosen {
  const [found] = keys.flatMap((key) => listing.asked.get(key) ?? []);
  if (found !== undefined) {
    const place = listing.dumps.findIndex(({ key }) => key === found.key);
    const earlier =
      place >= 0
        ? listing.dumps.slice(place + 1)
        : listing.dumps.filter((dump) => dump.etag !== found.etag && dumpTime(dump) < dumpTime(found));
    return { candidates: [found, ...earlier], notices: unreadableNotices(store, listing) };
  }
  const [newest] = listing.dumps;
  throw new ThawError('ArchiveNotFound', `${store.name}/${keys.join(`, ${store.name}/`)}: is not there`, {
    object: keys[0],
    hint: newest ? `The newest dump there is ${newest.key} of ${timeText(newest)}.` : whatElse(listing),
  });
}

/** The first of some keys that can be read, where nothing may be listed. @throws ThawError `denied` where none can */
async function unlisted(store: ObjectStore, keys: readonly string[], denied: ThawError): Promise<Chosen> {
  for (const key of keys) {
    try {
      const { bytes, etag, chunks } = await store.open(key);
      for await (const _ of chunks) break;
      const dump = toDump({ key, bytes, etag, modifiedAt: new Date().toISOString(), storageClass: null });
      const notice = `${store.name} may not be listed: when ${key} was written is not known, nor the dumps before it.`;
      return { candidates: [dump], notices: [notice] };
    } catch (error) {
      const isAbsent =
        error instanceof ThawError && ['ArchiveNotFound', 'PermissionDenied'].includes(error.code);
      if (!isAbsent) throw error;
    }
  }
  throw denied;
}

/**
 * What a key may be called in the store: with the subfolder that all dumps lie in, and where it begins with that,
 * as it is.
 */
function keysOf(key: string, prefix: string): string[] {
  const steps = key.split('/');
  if (key === '' || steps.some((step) => step === '' || step === '.' || step === '..')) {
    throw new ThawError('InputInvalid', `${key === '' ? 'the key of a dump' : key}: is no key of a dump`, {
      object: key,
      hint: 'Write it as it is listed, with or without the subfolder: no / at its begin or end, and no . or .. step.',
    });
  }
  if (prefix === '') return [key];
  return key.startsWith(`${prefix}/`) ? [key, `${prefix}/${key}`] : [`${prefix}/${key}`];
}

/** A listing tells that an object was frozen, not whether a copy of it is thawed by now: only reading does. */
async function demandReadable(
  store: ObjectStore,
  candidates: readonly ListedDump[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const [first, ...earlier] = candidates;
  if (first === undefined || !isFrozen(first)) return;
  try {
    const { chunks } = await store.open(first.key, { from: 0, to: 1, signal });
    for await (const _ of chunks) break;
  } catch (error) {
    if (!(error instanceof ThawError) || error.code !== 'ArchiveFrozen') throw error;
    const readable = earlier.find((dump) => !isFrozen(dump));
    const instead = readable ? ` Or take ${readable.key} of ${timeText(readable)}, which is not frozen.` : '';
    throw new ThawError('ArchiveFrozen', error.message, {
      object: first.key,
      hint: `${error.hint}${instead}`,
      cause: error,
    });
  }
}

function isFrozen(dump: ListedDump): boolean {
  return frozenObjects([dump]).length > 0;
}

function placeName(store: ObjectStore, service: ServiceConfig): string {
  const { prefix } = dumpsOf(service);
  return prefix === '' ? store.name : `${store.name}/${prefix}`;
}

function whatElse({ others, otherCount }: DumpListing): string {
  if (otherCount === 0) return 'Nothing lies there. Correct bucket, subfolder or folder.';
  const more = otherCount > others.length ? `, and ${otherCount - others.length} more` : '';
  return `There are ${others.join(', ')}${more}: name one by its key, or set BACKUP_FILE_PREFIX or file_prefix to what their names begin with.`;
}

function timeText(dump: DumpRef): string {
  return dump.takenAt ?? dump.modifiedAt;
}

function refOf({ key, bytes, etag, modifiedAt, takenAt }: ListedDump): DumpRef {
  return { key, bytes, etag, modifiedAt, takenAt };
}
