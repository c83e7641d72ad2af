import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Objects that the archiver could not upload. */
export interface FallbackFiles {
  /** By key, in the order of keys: the name of the file that it lies in. */
  readonly byKey: ReadonlyMap<string, string>;
  /** Names of those files and of what lies beside them. */
  readonly names: ReadonlySet<string>;
}

/** `{YYYYmmdd_HHMMSS}_{key, with _ for each slash}`, by the moment of saving. */
const savedName = /^\d{8}_\d{6}_(.+)$/s;
const sidecar = '.meta.json';

/** A change within the clock's tick of the one before leaves the same time on the folder. */
const settledAfterMs = 2_000;

/**
 * Finds what the archiver laid into its local fallback folder (`s3.local_fallback_dir`): files under flat
 * names, each with a `.meta.json` beside it that tells its key. Where that is gone or unreadable, the name
 * tells the key as far as its parts can be told apart. Of a key that was saved twice the later file counts.
 *
 * Looks again only when the folder has changed.
 */
export class FallbackFolder {
  readonly #prefix: string;
  #files: FallbackFiles = { byKey: new Map(), names: new Set() };
  #changedAt: bigint | null = null;

  /** @param prefix what every key begins with, without trailing slash; a key may have been saved without it */
  constructor(prefix: string) {
    this.#prefix = prefix === '' ? '' : `${prefix}/`;
  }

  /** @throws errors of the file system */
  async files(root: string): Promise<FallbackFiles> {
    const { mtimeNs, mtimeMs } = await stat(root, { bigint: true });
    if (mtimeNs === this.#changedAt) return this.#files;
    const isSettled = Date.now() - Number(mtimeMs) > settledAfterMs;
    const there = new Set(await readdir(root));
    const byKey = new Map<string, string>();
    const names = new Set<string>();
    for (const name of [...there].filter(isSaved).sort()) {
      const beside = `${name}${sidecar}`;
      const told = there.has(beside) ? await savedKey(join(root, beside)) : null;
      const key = told ?? keyOfName(name, this.#prefix);
      if (key === null) continue;
      names.add(name).add(beside);
      byKey.set(key.startsWith(this.#prefix) ? key : `${this.#prefix}${key}`, name);
    }
    const ordered = [...byKey].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    this.#files = { byKey: new Map(ordered), names };
    this.#changedAt = isSettled ? mtimeNs : null;
    return this.#files;
  }
}

function isSaved(name: string): boolean {
  return savedName.test(name) && !name.endsWith(sidecar);
}

/** Null where it does not tell: it may be being written. */
async function savedKey(path: string): Promise<string | null> {
  try {
    const told = JSON.parse(await readFile(path, 'utf8')) as { s3_key?: unknown } | null;
    return typeof told?.s3_key === 'string' ? told.s3_key : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

const flatKey = /^(.*)_year=(\d{4})_month=(\d{2})_day=(\d{2})_((.*)_\d{8}T\d{6}Z_batch_\d+\..*)$/s;

/** The last part of a key names the table once more: so it shows where table and database part. */
function keyOfName(name: string, prefix: string): string | null {
  const [, flat = ''] = savedName.exec(name) ?? [];
  const [, place = '', year, month, day, object, table] = flatKey.exec(flat) ?? [];
  const begin = prefix.replaceAll('/', '_');
  if (table === undefined || !place.startsWith(begin) || !place.endsWith(`_${table}`)) return null;
  const database = place.slice(begin.length, -table.length - 1);
  return `${prefix}${database}/${table}/year=${year}/month=${month}/day=${day}/${object}`;
}

/**
 * Puts the keys of a fallback folder among those of the tree beside it, in the order of keys.
 *
 * @param walked keys of the tree, in order
 * @param after only keys after this one
 */
export async function* withFallback(
  walked: AsyncIterable<string>,
  files: FallbackFiles,
  prefix: string,
  after: string,
): AsyncGenerator<string, void, undefined> {
  const saved = [...files.byKey.keys()].filter(
    (key) => key.startsWith(prefix) && Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0,
  );
  let next = 0;
  for await (const key of walked) {
    // The file that something was saved in is not an object of its own.
    if (files.names.has(key)) continue;
    for (; next < saved.length; next += 1) {
      const before = saved[next] as string;
      const order = Buffer.compare(Buffer.from(before), Buffer.from(key));
      if (order > 0) break;
      if (order < 0) yield before;
    }
    yield key;
  }
  yield* saved.slice(next);
}
