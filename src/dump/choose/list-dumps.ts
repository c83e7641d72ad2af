import type { ServiceConfig } from '../../config/thaw-config.ts';
import type { DumpRef } from '../../contract/dump-request.ts';
import type { ObjectInfo, ObjectPage, ObjectStore } from '../../store/object-store.ts';
import { isDumpOf, isInOwnFolder, nameTime } from './dump-name.ts';
import { dumpsOf } from './dump-store.ts';

/** A dump, with what a listing tells besides. */
export interface ListedDump extends DumpRef {
  /** `STANDARD`, `GLACIER`, …; null where the store knows none. */
  readonly storageClass: string | null;
}

/** What lies where dumps of a service lie. */
export interface DumpListing {
  /** Its dumps, the newest first. */
  readonly dumps: readonly ListedDump[];
  /** Keys of other objects, at most {@link othersTold}. */
  readonly others: readonly string[];
  /** How many other objects there are. */
  readonly otherCount: number;
  /** Keys of folders that may not be read, as lost+found: what lies in them is not known. */
  readonly unreadable: readonly string[];
  /** The objects that were asked for by key. */
  readonly asked: ReadonlyMap<string, ListedDump>;
}

/** How many objects that are no dumps are named. */
const othersTold = 5;

/** What names of dumps of a service begin with. */
export function beginningsOf({ name, connection, filePrefix }: ServiceConfig): string[] {
  return filePrefix === null ? [...new Set([name, connection.name])] : [filePrefix];
}

/**
 * Lists the dumps of a service, whatever number of pages that takes. Those with a time in their names come first,
 * the newest before all; the others by LastModified, which a copy changes. One object under several names
 * (`{db}-latest`) counts once.
 *
 * @param keys to be told of, whatever they are named
 * @throws ThawError `ConfigInvalid` where nothing says where its dumps lie
 */
export async function listDumps(
  store: ObjectStore,
  service: ServiceConfig,
  signal?: AbortSignal,
  keys: readonly string[] = [],
): Promise<DumpListing> {
  const { prefix } = dumpsOf(service);
  const folder = prefix === '' ? '' : `${prefix}/`;
  const unreadable = new Set<string>();
  const objects = objectsBelow(store, folder, (key) => unreadable.add(key), signal);
  const listing = await collectDumps(objects, service, keys, folder);
  return { ...listing, unreadable: [...unreadable] };
}

/** What is said of folders that may not be read. */
export function unreadableNotices(store: ObjectStore, { unreadable }: DumpListing): string[] {
  return unreadable.map((key) => `${store.name}/${key} may not be read: dumps in it are not listed.`);
}

/** Tells the dumps of a service from other objects, as {@link listDumps} does. */
export async function collectDumps(
  objects: AsyncIterable<ObjectInfo>,
  service: ServiceConfig,
  keys: readonly string[],
  folder: string,
): Promise<DumpListing> {
  const beginnings = beginningsOf(service);
  const dumps: ListedDump[] = [];
  const others: string[] = [];
  const asked = new Map<string, ListedDump>();
  let otherCount = 0;
  for await (const object of objects) {
    if (keys.includes(object.key)) asked.set(object.key, toDump(object));
    const key = object.key.slice(folder.length);
    // A prefix such as `backup` is that of every user of the tool, and each has a subfolder of the one bucket.
    const isOwn = service.filePrefix === null || isInOwnFolder(key);
    if (isOwn && isDumpOf(key, beginnings)) {
      dumps.push(toDump(object));
    } else if (!object.key.endsWith('/')) {
      otherCount += 1;
      if (others.length < othersTold) others.push(object.key);
    }
  }
  return { dumps: withoutAliases(dumps).sort(newestFirst), others, otherCount, unreadable: [], asked };
}

async function* objectsBelow(
  store: ObjectStore,
  folder: string,
  onUnreadable: (folder: string) => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectInfo, void, undefined> {
  let after: string | null = null;
  do {
    const options = { prefix: folder, after, onUnreadable, ...(signal ? { signal } : {}) };
    const page: ObjectPage = await store.list(options);
    yield* page.objects;
    after = page.next;
  } while (after !== null);
}

/** An object as a dump, with the time that its name tells: of a day alone, as near to LastModified as the day is. */
export function toDump({ key, bytes, etag, modifiedAt, storageClass }: ObjectInfo): ListedDump {
  const time = nameTime(key);
  const at = time && Math.min(Math.max(Date.parse(modifiedAt), time.from), time.to);
  const takenAt = at === null ? null : new Date(at).toISOString();
  return { key, bytes, etag, modifiedAt, takenAt, storageClass };
}

/** When a dump was taken, as far as is known; milliseconds. */
export function dumpTime({ takenAt, modifiedAt }: DumpRef): number {
  return Date.parse(takenAt ?? modifiedAt);
}

/** The order in which dumps come into question. */
function newestFirst(a: DumpRef, b: DumpRef): number {
  if ((a.takenAt === null) !== (b.takenAt === null)) return a.takenAt === null ? 1 : -1;
  return dumpTime(b) - dumpTime(a) || Date.parse(b.modifiedAt) - Date.parse(a.modifiedAt) || byKey(a, b);
}

function byKey(a: DumpRef, b: DumpRef): number {
  return Buffer.compare(Buffer.from(a.key), Buffer.from(b.key));
}

/** Links and copies with a time of their own are dumps of their own: a database that rests gives the same bytes each day. */
function withoutAliases(dumps: readonly ListedDump[]): ListedDump[] {
  const seen = new Set<string>();
  const exactFirst = dumps.toSorted((a, b) => precision(b) - precision(a));
  return exactFirst.filter((dump) => {
    const content = `${dump.etag}/${dump.bytes}`;
    const taken = `${content}/${dump.takenAt}`;
    const isKnown = dump.etag !== '' && seen.has(precision(dump) === exact ? taken : content);
    seen.add(content).add(taken);
    return !isKnown;
  });
}

const exact = 2;

/** 0: no time in the name; 1: a day; {@link exact}: a moment. */
function precision({ key }: DumpRef): number {
  const time = nameTime(key);
  if (time === null) return 0;
  return time.from === time.to ? exact : 1;
}
