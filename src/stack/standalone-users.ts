import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatMark, isAlive, markOfThisProcess, parseMark } from './process-identity.ts';

/** Registers this process as a user of the server; gives the file that says so. */
export async function registerUser(folder: string): Promise<string> {
  const file = join(folder, formatMark(markOfThisProcess()));
  await writeFile(file, '', { mode: 0o600 });
  return file;
}

/** Tells whether anybody uses the server, and clears away those who were killed before they could leave. */
export async function hasLiveUser(folder: string): Promise<boolean> {
  let live = false;
  for (const name of await readdir(folder)) {
    const mark = parseMark(name);
    if (mark === null) continue;
    if (isAlive(mark)) live = true;
    else await rm(join(folder, name), { force: true });
  }
  return live;
}
