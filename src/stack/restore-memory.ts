import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { readJson, writeJson } from './standalone-file.ts';

/** What makes two commands the same one, typed twice. */
export interface RestoreKey {
  /**
   * Where the restore runs: `{address}/{namespace}` of a given Temporal, `standalone/{namespace}` for the own
   * one, whose port changes from start to start.
   */
  readonly temporal: string;
  /** Fingerprint of everything that the command asks for, configuration included. */
  readonly command: string;
}

/** The restore that a command began. */
export interface RememberedRestore {
  readonly restoreId: string;
  /** ISO 8601. */
  readonly startedAt: string;
}

const remembered = z.object({ restoreId: z.string().min(1), startedAt: z.iso.datetime() });

/**
 * Remembers which restore a command began, so that the same command goes on with it after a crash. Once this
 * resolves it is on disk: call it before the restore is started. A second one takes the place of the first.
 */
export async function rememberRestore(
  stateDir: string,
  key: RestoreKey,
  restore: RememberedRestore,
): Promise<void> {
  const path = memoryPath(stateDir, key);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeJson(path, { restoreId: restore.restoreId, startedAt: restore.startedAt });
}

/** The restore that the same command began and that nobody has forgotten yet; null when there is none. */
export function recallRestore(stateDir: string, key: RestoreKey): Promise<RememberedRestore | null> {
  return readJson(memoryPath(stateDir, key), remembered);
}

/** Forgets it, once its end has been told: the same command then begins anew. */
export async function forgetRestore(stateDir: string, key: RestoreKey): Promise<void> {
  await rm(memoryPath(stateDir, key), { force: true });
}

function memoryPath(stateDir: string, key: RestoreKey): string {
  const name = createHash('sha256')
    .update(JSON.stringify([key.temporal, key.command]))
    .digest('hex');
  return join(stateDir, 'restores', `${name}.json`);
}
