import { ThawError } from '../../contract/thaw-error.ts';
import { clip } from '../../restore/clip.ts';
import { findPrograms } from '../tools/client-programs.ts';
import { runProgram } from '../tools/run-program.ts';
import type { ArchiveHeader } from './archive-header.ts';
import { corruptDump } from './open-dump.ts';
import { type PlainFacts, PlainScan } from './plain-scan.ts';

/** How pg_restore reads an archive; it connects to nothing. */
export interface ArchiveReading {
  /** Names the dump in errors. */
  readonly object: string;
  readonly header: ArchiveHeader | null;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** Bytes of what pg_restore says that an error tells. */
const toldBytes = 300;

/** What pg_restore says of archives that only a newer or otherwise built one can read. */
const unable = /unsupported version|not support|not built with|installation/;

/**
 * Has pg_restore write an archive as SQL, and reads that as a plain dump is read: entries with their numbers, owners
 * and grants, and the rows of each table. So every data block is decompressed and checked.
 *
 * @param archive the bytes of a custom dump, or the folder of a directory
 * @throws ThawError `ArchiveCorrupt` for what pg_restore cannot read, `ConfigInvalid` for what needs a newer one
 */
export async function readScript(
  reading: ArchiveReading,
  archive: AsyncIterable<Uint8Array> | string,
): Promise<PlainFacts> {
  const scan = new PlainScan(reading.object);
  await run(reading, ['--verbose', '--file=-'], archive, async (chunks) => {
    for await (const chunk of chunks) scan.push(chunk);
  });
  return scan.end();
}

/** The list of what is in a directory, as `pg_restore --list` gives it. @throws ThawError as {@link readScript} does */
export async function readList(reading: ArchiveReading, folder: string): Promise<string> {
  const parts: Buffer[] = [];
  await run(reading, ['--list'], folder, async (chunks) => {
    for await (const chunk of chunks) parts.push(chunk);
  });
  return Buffer.concat(parts).toString('utf8');
}

async function run(
  { object, header, env, signal }: ArchiveReading,
  args: readonly string[],
  archive: AsyncIterable<Uint8Array> | string,
  onOutput: (chunks: AsyncIterable<Buffer>) => Promise<void>,
): Promise<void> {
  const { pgRestore, version } = await findPrograms(env, { atLeast: header?.readableFrom ?? null });
  let said = '';
  const end = await runProgram({
    program: pgRestore,
    args:
      typeof archive === 'string' ? ['--format=directory', ...args, archive] : ['--format=custom', ...args],
    env: { LC_ALL: 'C' },
    signal,
    onOutput,
    onMessage: (line) => {
      said = /^pg_restore: (?:error|fatal): (.*)/.exec(line)?.[1] ?? said;
    },
    ...(typeof archive === 'string' ? {} : { input: archive, readInputToEnd: true }),
  });
  if (end.code === 0) return;
  const reason = clip(said === '' ? `it ended with ${end.signal ?? `code ${end.code}`}` : said, toldBytes);
  if (!unable.test(reason)) throw corruptDump(object, `pg_restore cannot read it: ${reason}`);
  const made = header === null ? '' : ` (archive ${header.archiveVersion}, by pg_dump ${header.dumpVersion})`;
  throw new ThawError('ConfigInvalid', `${object}: pg_restore ${version} cannot read it${made}: ${reason}.`, {
    object,
    hint: 'Install a newer pg_restore, of the version of that pg_dump or later, and name its folder in PG_BIN.',
  });
}
