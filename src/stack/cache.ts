import { homedir } from 'node:os';
import path from 'node:path';

/** Where things that are obtained once per machine lie: `$XDG_CACHE_HOME/thaw`, else `~/.cache/thaw`. */
export function cacheFolder(): string {
  const base = process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache');
  return path.join(base, 'thaw');
}
