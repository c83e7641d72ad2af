import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { access, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { UnpackedBase } from '../../contract/pitr.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { FolderStore } from '../../store/folder-store.ts';
import type { ObjectInfo } from '../../store/object-store.ts';
import { findServerPrograms } from '../tools/server-programs.ts';
import { type BaseBackup, linkedFolders } from './base-backup.ts';
import type { ClusterFolder } from './cluster-folder.ts';
import { baseHint } from './hints.ts';
import { objectsOf, type Place } from './place.ts';
import { tarEntries } from './tar-entries.ts';
import { verifyBase } from './verify-base.ts';

/** How a base backup is unpacked. */
export interface UnpackOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** Called with the bytes that have been written since. */
  readonly onBytes: (bytes: number) => void;
}

/** Folders that PostgreSQL wants and that a bucket does not keep, as they are empty. */
const emptyFolders = [
  ...['pg_commit_ts', 'pg_dynshmem', 'pg_notify', 'pg_replslot', 'pg_serial', 'pg_snapshots', 'pg_stat'],
  ...['pg_stat_tmp', 'pg_subtrans', 'pg_tblspc', 'pg_twophase', 'pg_wal/archive_status'],
  ...['pg_logical/snapshots', 'pg_logical/mappings'],
];

/** What belongs to the server that was backed up: its process, and what it was to be. */
const leftOut = new Set([
  'postmaster.pid',
  'postmaster.opts',
  'recovery.signal',
  'standby.signal',
  'thaw.json',
]);

/** Files of a plain backup that are brought at the same time. */
const lanes = 8;

/**
 * Unpacks a base backup into the folder of its cluster, and compares it with its manifest. What an earlier attempt has
 * unpacked is replaced.
 *
 * @throws ThawError `ArchiveCorrupt` for what is not whole; `ConfigInvalid` where programs of its version are missing, or
 * space
 */
export async function unpackBase(
  place: Place,
  backup: BaseBackup,
  folder: ClusterFolder,
  { env, signal, onBytes }: UnpackOptions,
): Promise<UnpackedBase> {
  const { into, data, tablespaces } = folder;
  for (const name of await readdir(into)) {
    if (name.startsWith('unpacking-')) await rm(path.join(into, name), { recursive: true, force: true });
  }
  // An attempt that was given up and still writes does so elsewhere.
  const fresh = path.join(into, `unpacking-${randomBytes(4).toString('hex')}`);
  const unpacking = new Unpacking(fresh, signal, onBytes);
  try {
    if (backup.kind === 'tar') await unpacking.tars(place, backup.objects);
    else await unpacking.plain(place, backup.objects);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOSPC') throw error;
    throw new ThawError('ConfigInvalid', `${into} has no room for the base backup`, {
      object: into,
      hint: 'Free space there, or name a folder of a larger disk.',
    });
  }
  for (const old of [data, tablespaces]) await rm(old, { recursive: true, force: true });
  await mkdir(path.join(fresh, 'tablespaces'), { recursive: true, mode: 0o700 });
  await rename(path.join(fresh, 'tablespaces'), tablespaces);
  await rename(path.join(fresh, 'data'), data);
  await rm(fresh, { recursive: true, force: true });
  for (const name of emptyFolders) await mkdir(path.join(data, name), { recursive: true, mode: 0o700 });
  const spaces = await readdir(tablespaces);
  for (const oid of spaces) await symlink(path.join(tablespaces, oid), path.join(data, 'pg_tblspc', oid));

  const major = await majorOf(data, place.name);
  const programs = await findServerPrograms(env, major);
  const isVerified = await verifyBase(programs, data, place.name, env, signal);
  // PostgreSQL makes the links anew by this file, where the old ones led to.
  const map = path.join(data, 'tablespace_map');
  if ((await readFile(map, 'utf8').catch(() => null)) !== null) {
    await writeFile(map, spaces.map((oid) => `${oid} ${mapped(path.join(tablespaces, oid))}\n`).join(''));
  }
  const notices = isVerified
    ? []
    : [
        'The base backup has no backup_manifest (or pg_verifybackup is not installed): its files were not compared with anything.',
      ];
  return { major, ...unpacking.counted, isVerified, notices };
}

/** Writes files below a folder that nobody else knows. */
class Unpacking {
  readonly #fresh: string;
  readonly #signal: AbortSignal;
  readonly #onBytes: (bytes: number) => void;
  readonly #folders = new Set<string>();
  #files = 0;
  #bytes = 0;

  constructor(fresh: string, signal: AbortSignal, onBytes: (bytes: number) => void) {
    this.#fresh = fresh;
    this.#signal = signal;
    this.#onBytes = onBytes;
  }

  get counted(): { readonly files: number; readonly bytes: number } {
    return { files: this.#files, bytes: this.#bytes };
  }

  async tars(place: Place, tars: readonly ObjectInfo[]): Promise<void> {
    for (const tar of tars) {
      const [name = ''] = path.posix.basename(tar.key).split('.tar');
      const below = name === 'base' ? '' : name === 'pg_wal' ? 'pg_wal/' : `pg_tblspc/${name}/`;
      for await (const { name: member, kind, chunks } of tarEntries(place, tar, { signal: this.#signal })) {
        if (kind === 'file') await this.#write(below + member, chunks, tar.key);
        // Links to tablespaces are made anew, to where they are now.
        else if (kind !== 'directory' && !/^pg_tblspc\/\d+$/.test(member)) throw strange(tar.key, member);
      }
    }
    const manifest = await place.store.read(`${place.prefix}backup_manifest`);
    if (manifest !== null)
      await writeFile(path.join(this.#fresh, 'data', 'backup_manifest'), manifest, { mode: 0o600 });
  }

  async plain(place: Place, objects: readonly ObjectInfo[]): Promise<void> {
    await this.#copy(place, objects, place.prefix, '');
    for (const { at, folder } of await linkedFolders(place)) {
      const store = new FolderStore({ kind: 'folder', path: folder, prefix: '' });
      const linked = { name: folder, store, prefix: '', folder };
      const files: ObjectInfo[] = [];
      for await (const object of objectsOf(linked, { signal: this.#signal })) files.push(object);
      await this.#copy(linked, files, '', `${at}/`);
    }
  }

  async #copy(
    { store }: Place,
    objects: readonly ObjectInfo[],
    prefix: string,
    below: string,
  ): Promise<void> {
    const queue = objects.values();
    const lane = async () => {
      for (const { key, etag } of queue) {
        const { chunks } = await store.open(key, { etag, signal: this.#signal });
        await this.#write(below + key.slice(prefix.length), chunks, key);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  async #write(name: string, chunks: AsyncIterable<Uint8Array>, object: string): Promise<void> {
    if (leftOut.has(name)) return;
    const file = path.join(this.#fresh, placeOf(name, object));
    const folder = path.dirname(file);
    if (!this.#folders.has(folder)) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      this.#folders.add(folder);
    }
    await pipeline(this.#counted(chunks), createWriteStream(file, { flags: 'wx', mode: 0o600 }));
    this.#files += 1;
  }

  async *#counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.#signal.throwIfAborted();
      this.#bytes += chunk.length;
      this.#onBytes(chunk.length);
      yield chunk;
    }
  }
}

/** Where a file of the backup goes: tablespaces lie beside the data. */
function placeOf(name: string, object: string): string {
  const parts = name.split('/');
  if (
    name.includes('\\') ||
    name.includes('\0') ||
    parts.some((part) => part === '' || part === '.' || part === '..')
  ) {
    throw strange(object, name);
  }
  const [, oid, rest] = /^pg_tblspc\/(\d+)\/(.+)$/.exec(name) ?? [];
  return oid === undefined ? path.join('data', name) : path.join('tablespaces', oid, rest ?? '');
}

function strange(object: string, name: string): ThawError {
  return new ThawError(
    'ArchiveCorrupt',
    `${object} holds ${JSON.stringify(name)}, which no base backup does.`,
    {
      object,
      hint: baseHint,
    },
  );
}

async function majorOf(data: string, object: string): Promise<number> {
  const text = await readFile(path.join(data, 'PG_VERSION'), 'utf8').catch(() => '');
  const control = await access(path.join(data, 'global/pg_control')).then(
    () => true,
    () => false,
  );
  const major = Number(/^(\d+)\s*$/.exec(text)?.[1] ?? 0);
  if (major === 0 || !control) {
    throw new ThawError(
      'ArchiveCorrupt',
      `${object} is not whole: it lacks ${major === 0 ? 'PG_VERSION' : 'global/pg_control'}.`,
      {
        object,
        hint: baseHint,
      },
    );
  }
  if (major >= 12) return major;
  throw new ThawError(
    'ConfigInvalid',
    `${object} is of PostgreSQL ${major}, which is recovered by recovery.conf`,
    {
      object,
      hint: 'Thaw recovers PostgreSQL 12 and newer.',
    },
  );
}

/** As tablespace_map has it. */
function mapped(folder: string): string {
  return folder.replaceAll(/[\\\n\r]/g, (character) => `\\${character}`);
}
