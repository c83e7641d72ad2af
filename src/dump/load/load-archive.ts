import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import type { DumpPart } from '../../contract/dump-request.ts';
import { openDump } from '../format/open-dump.ts';
import { ProgramMessages } from '../tools/program-messages.ts';
import { restoreFailure } from '../tools/restore-failure.ts';
import { type ProgramEnd, type ProgramRun, runProgram } from '../tools/run-program.ts';
import type { DumpToLoad } from './dump-to-load.ts';
import type { LoadPlace } from './load-place.ts';
import { type ListEntries, partEntries } from './part-entries.ts';
import { provedBytes } from './proved-bytes.ts';
import { spoolDump } from './spool.ts';

/**
 * Loads an archive of pg_dump with pg_restore: one in tar format from the store through its standard input,
 * without touching the disk; the others from files, with several sessions.
 */
export async function loadArchive(load: DumpToLoad, place: LoadPlace): Promise<ProgramEnd> {
  return load.proof.format === 'tar' ? fromStore(load, place) : fromFile(load, place);
}

async function fromStore(load: DumpToLoad, place: LoadPlace): Promise<ProgramEnd> {
  const list = async (args: readonly string[]) => {
    // Only its beginning is read.
    const { chunks } = await openDump(load.store, load.proof.dump.key, { signal: load.signal });
    return listed(load, place, args, { input: chunks });
  };
  const args = await loadArguments(load, place, list);
  return runProgram({
    ...program(load, place),
    args,
    input: await dumpBytes(load, 'load'),
    // pg_restore ends before the last blocks, and only the end tells whether the wrapping is whole. Where a
    // part is restored, it may end long before.
    readInputToEnd: isWhole(load.part),
  });
}

async function fromFile(load: DumpToLoad, place: LoadPlace): Promise<ProgramEnd> {
  const file = await spoolDump(place.folder, await dumpBytes(load, 'spool'), load.proof);
  load.onProgress?.({ stage: 'load', bytes: load.proof.dump.bytes });
  const isSingle = load.oneTransaction || load.options.includes('--single-transaction');
  const jobs = isSingle ? 1 : (load.jobs ?? availableParallelism());
  const args = await loadArguments(load, place, (args) => listed(load, place, [...args, file]));
  return runProgram({
    ...program(load, place),
    args: [...args, ...(jobs > 1 ? [`--jobs=${jobs}`] : []), file],
  });
}

async function dumpBytes(
  { store, proof, signal, onProgress }: DumpToLoad,
  stage: 'load' | 'spool',
): Promise<AsyncIterable<Buffer>> {
  const { key, etag } = proof.dump;
  const onBytes = (bytes: number) => onProgress?.({ stage, bytes });
  return provedBytes(await openDump(store, key, { etag, signal, onBytes }), proof);
}

function program({ signal }: DumpToLoad, { programs, access, messages }: LoadPlace) {
  const onMessage = (line: string) => messages.take(line);
  return { program: programs.pgRestore, env: access.env, signal, onMessage };
}

/** What `pg_restore --list` writes. @throws ThawError as `restoreFailure` says; `InputInvalid` for what is not there */
async function listed(
  load: DumpToLoad,
  place: LoadPlace,
  args: readonly string[],
  input: Pick<ProgramRun, 'input'> = {},
): Promise<string> {
  const parts: Buffer[] = [];
  const messages = new ProgramMessages();
  const end = await runProgram({
    ...program(load, { ...place, messages }),
    ...input,
    args: ['--list', ...args],
    onOutput: async (chunks) => {
      for await (const chunk of chunks) parts.push(chunk);
    },
  });
  messages.end();
  const { proof, connection } = load;
  const run = { name: 'pg_restore' as const, dump: proof.dump.key, database: connection.name, end, messages };
  const failure = restoreFailure({ ...run, programs: place.programs, allowErrors: false });
  if (failure !== null) throw failure;
  return Buffer.concat(parts).toString();
}

async function loadArguments(load: DumpToLoad, place: LoadPlace, list: ListEntries): Promise<string[]> {
  const { part, options, oneTransaction } = load;
  const args = ['--no-password', `--dbname=${place.access.dbname}`, ...options];
  if (oneTransaction) args.push('--single-transaction');
  if (part.tables.length + part.schemas.length > 0) {
    const entries = await partEntries(part, place.server.schemas, list);
    const file = path.join(place.folder, 'entries');
    await writeFile(file, entries.map((id) => `${id};\n`).join(''), { mode: 0o600 });
    args.push(`--use-list=${file}`);
  }
  args.push(...part.sections.map((section) => `--section=${section}`));
  if (part.dataOnly) args.push('--data-only');
  if (part.schemaOnly) args.push('--schema-only');
  // What is to be dropped may not be there.
  if (part.clean) args.push('--clean', '--if-exists');
  return [...new Set(args)];
}

function isWhole({ tables, schemas, sections, schemaOnly }: DumpPart): boolean {
  return tables.length + schemas.length + sections.length === 0 && !schemaOnly;
}
