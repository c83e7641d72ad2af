import { lstat, readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ObjectInfo } from '../../store/object-store.ts';
import { type BackupLabel, parseLabel } from './backup-label.ts';
import { type BackupManifest, parseManifest } from './backup-manifest.ts';
import { walSetup } from './hints.ts';
import { objectsOf, type Place } from './place.ts';
import { tarEntries } from './tar-entries.ts';

/** A base backup as it lies there. */
export interface BaseBackup {
  readonly kind: 'plain' | 'tar';
  readonly label: BackupLabel;
  readonly manifest: BackupManifest | null;
  /** Its files, or its tars: what `pg_basebackup --format=tar` names `base.tar`, `pg_wal.tar` and `{oid}.tar`. */
  readonly objects: readonly ObjectInfo[];
  /** Segments of WAL that it holds itself. */
  readonly wal: ReadonlySet<string>;
}

const tarName = /^(base|pg_wal|\d+)\.tar(?:\.(?:gz|zst))?$/;
const segment = /^[0-9A-F]{24}$/;

/**
 * Finds out what lies in the place of a base backup.
 *
 * @throws ThawError `ArchiveNotFound` where there is none; `ArchiveCorrupt` where it lacks what every one has
 */
export async function findBase(place: Place, signal?: AbortSignal): Promise<BaseBackup> {
  const { store, prefix } = place;
  const label = await store.read(`${prefix}backup_label`);
  if (label !== null) {
    const objects = await gather(place, signal);
    const wal = objects.map(({ key }) => path.posix.basename(key)).filter((name) => segment.test(name));
    const parsed = parseLabel(Buffer.from(label).toString('utf8'), 'backup_label');
    return { kind: 'plain', label: parsed, manifest: await manifestOf(place), objects, wal: new Set(wal) };
  }
  if ((await store.read(`${prefix}PG_VERSION`)) !== null) {
    throw new ThawError(
      'ArchiveCorrupt',
      `${place.name} has no backup_label: it is a cluster's folder, or a copy of one, and no base backup.`,
      {
        object: place.name,
        hint: 'Take a base backup with pg_basebackup: a plain copy of a running cluster is not consistent.',
      },
    );
  }
  const tars = (await gather(place, signal)).filter(({ key }) => tarName.test(key.slice(prefix.length)));
  const base = tars.find(({ key }) => key.slice(prefix.length).startsWith('base.tar'));
  if (base === undefined) throw noBase(place);
  const ownWal = tars.find(({ key }) => key.slice(prefix.length).startsWith('pg_wal.tar'));
  return {
    kind: 'tar',
    label: await labelInTar(place, base),
    manifest: await manifestOf(place),
    objects: tars,
    wal: ownWal === undefined ? new Set() : await segmentsInTar(place, ownWal, signal),
  };
}

/** Folders that symbolic links of a plain backup of this machine lead to: its tablespaces, and its WAL. */
export async function linkedFolders({
  folder,
}: Place): Promise<{ readonly at: string; readonly folder: string }[]> {
  if (folder === null) return [];
  const spaces = await readdir(path.join(folder, 'pg_tblspc')).catch(() => []);
  const links: { at: string; folder: string }[] = [];
  for (const at of [
    'pg_wal',
    ...spaces.filter((oid) => /^\d+$/.test(oid)).map((oid) => `pg_tblspc/${oid}`),
  ]) {
    const found = await lstat(path.join(folder, at)).catch(() => null);
    if (found?.isSymbolicLink() === true) links.push({ at, folder: await realpath(path.join(folder, at)) });
  }
  return links;
}

async function gather(place: Place, signal?: AbortSignal): Promise<ObjectInfo[]> {
  const objects: ObjectInfo[] = [];
  for await (const object of objectsOf(place, signal ? { signal } : {})) objects.push(object);
  return objects;
}

async function manifestOf({ store, prefix }: Place): Promise<BackupManifest | null> {
  const text = await store.read(`${prefix}backup_manifest`);
  return text === null ? null : parseManifest(Buffer.from(text).toString('utf8'), 'backup_manifest');
}

/** It is the first that the server sends. */
async function labelInTar(place: Place, tar: ObjectInfo): Promise<BackupLabel> {
  let seen = 0;
  for await (const { name, chunks } of tarEntries(place, tar)) {
    if (name === 'backup_label')
      return parseLabel((await buffer(chunks)).toString('utf8'), `${tar.key}: backup_label`);
    seen += 1;
    if (seen === 3) break;
  }
  throw new ThawError(
    'ArchiveCorrupt',
    `${tar.key} does not begin with a backup_label: it is no base backup.`,
    {
      object: tar.key,
      hint: 'Take a base backup with pg_basebackup --format=tar.',
    },
  );
}

async function segmentsInTar(place: Place, tar: ObjectInfo, signal?: AbortSignal): Promise<Set<string>> {
  const names = new Set<string>();
  for await (const { name } of tarEntries(place, tar, { signal })) if (segment.test(name)) names.add(name);
  return names;
}

function noBase({ name }: Place): ThawError {
  return new ThawError(
    'ArchiveNotFound',
    `${name} holds no base backup: neither backup_label nor base.tar is there.`,
    {
      object: name,
      hint: walSetup,
    },
  );
}
