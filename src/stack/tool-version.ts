import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ToolSource } from './tool-source.ts';

/** The version that an executable reports; null when it does not say one or does not run. */
export async function reportedVersion(source: ToolSource, file: string): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)(file, ['--version'], { timeout: 30_000 });
    return source.versionPattern.exec(stdout)?.[1] ?? null;
  } catch {
    return null;
  }
}

/** Tells whether a version is the pinned one, or a newer one with the same major number. */
export function isPinnedOrNewer(version: string, pinned: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  const [pinnedMajor = 0, pinnedMinor = 0, pinnedPatch = 0] = pinned.split('.').map(Number);
  if (major !== pinnedMajor) return false;
  return minor > pinnedMinor || (minor === pinnedMinor && patch >= pinnedPatch);
}
