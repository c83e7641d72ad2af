import { accessSync, chmodSync, constants, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { ThawError } from '../contract/thaw-error.ts';
import { cacheFolder } from './cache.ts';
import { withLock } from './lock.ts';
import { buildTool } from './tool-build.ts';
import { downloadTool } from './tool-download.ts';
import { type ToolName, type ToolSource, toolSources } from './tool-source.ts';
import { isPinnedOrNewer, reportedVersion } from './tool-version.ts';

/** How to obtain a tool. */
export interface ObtainOptions {
  /** Called with what is being done, at least every 15 s. */
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Gives the path of the Temporal CLI or of versitygw, by the first way that works: the environment
 * variable (`THAW_TEMPORAL_CLI`, `THAW_VERSITYGW`); `PATH`, where what it finds is the pinned version or a
 * newer one with the same major number; the cache folder; a download; `go install` of the pinned version,
 * which takes minutes. The last two fill the cache, once per machine: a second process waits for the first.
 *
 * Errors: `ConfigInvalid` when the variable names no executable, or no way worked.
 */
export async function obtainTool(name: ToolName, options: ObtainOptions): Promise<string> {
  const source = toolSources[name];
  const named = process.env[source.variable];
  if (named) return executableNamed(source.variable, named);
  return (await onPath(source, options)) ?? (await cached(source, options));
}

function executableNamed(variable: string, file: string): string {
  if (isExecutable(file)) return path.resolve(file);
  throw new ThawError('ConfigInvalid', `${variable}: no executable file (got ${file})`, {
    object: variable,
    hint: `Correct ${variable}, or unset it to have the tool found by itself.`,
  });
}

async function onPath(source: ToolSource, { log }: ObtainOptions): Promise<string | null> {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '');
  const file = folders.map((folder) => path.join(folder, source.name)).find(isExecutable);
  if (file === undefined) return null;
  const version = await reportedVersion(source, file);
  if (version !== null && isPinnedOrNewer(version, source.reportsVersion)) return file;
  log(`${file} is version ${version ?? 'unknown'}, not ${source.reportsVersion} or newer; it is not used`);
  return null;
}

async function cached(source: ToolSource, options: ObtainOptions): Promise<string> {
  const folder = path.join(cacheFolder(), `${source.name}-${source.version}`);
  const file = path.join(folder, source.name);
  if (isExecutable(file)) return file;
  const holder = `which is obtaining ${source.title}`;
  return await withLock(`${folder}.lock`, { holder, ...options }, async () => {
    if (!isExecutable(file)) await fill(folder, source, options);
    return file;
  });
}

/** Puts the tool into its folder of the cache, whole or not at all. */
async function fill(folder: string, source: ToolSource, options: ObtainOptions): Promise<void> {
  const work = `${folder}.work.${process.pid}`;
  try {
    mkdirSync(work, { recursive: true });
    const fresh = await make(source, work, options);
    chmodSync(fresh, 0o755);
    mkdirSync(folder, { recursive: true });
    renameSync(fresh, path.join(folder, source.name));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function make(source: ToolSource, work: string, options: ObtainOptions): Promise<string> {
  try {
    return await downloadTool(source, work, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    options.log(`${source.title} ${source.version} cannot be downloaded (${reason}); building it with Go`);
    return buildTool(source, work, options, reason);
  }
}

function isExecutable(file: string): boolean {
  if (!existsSync(file)) return false;
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
