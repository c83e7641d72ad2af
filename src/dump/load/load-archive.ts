import { availableParallelism } from 'node:os';
import type { DumpPart } from '../../contract/dump-request.ts';
import { openDump } from '../format/open-dump.ts';
import { parsePartTable } from '../tools/part-table.ts';
import { type ProgramEnd, runProgram } from '../tools/run-program.ts';
import type { DumpToLoad } from './dump-to-load.ts';
import type { LoadPlace } from './load-place.ts';
import { provedBytes } from './proved-bytes.ts';
import { spoolDump } from './spool.ts';

/**
 * Loads an archive of pg_dump with pg_restore: one in tar format from the store through its standard input,
 * without touching the disk; the others from files, with several sessions.
 */
export async function loadArchive(load: DumpToLoad, place: LoadPlace): Promise<ProgramEnd> {
  const { store, proof, signal, onProgress } = load;
  const { key, etag } = proof.dump;
  const isStreamed = proof.format === 'tar';
  const stage = isStreamed ? 'load' : 'spool';
  const dump = await openDump(store, key, {
    etag,
    signal,
    onBytes: (bytes) => onProgress?.({ stage, bytes }),
  });
  const chunks = provedBytes(dump, proof);
  return isStreamed ? stream(load, place, chunks) : fromFile(load, place, chunks);
}

async function stream(
  load: DumpToLoad,
  place: LoadPlace,
  chunks: AsyncIterable<Buffer>,
): Promise<ProgramEnd> {
  return runProgram({
    ...program(load, place),
    args: baseArguments(load, place),
    input: chunks,
    // pg_restore ends before the last blocks, and only the end tells whether the wrapping is whole. Where a
    // part is restored, it may end long before.
    readInputToEnd: isWhole(load.part),
  });
}

async function fromFile(
  load: DumpToLoad,
  place: LoadPlace,
  chunks: AsyncIterable<Buffer>,
): Promise<ProgramEnd> {
  const file = await spoolDump(place.folder, chunks, load.proof);
  load.onProgress?.({ stage: 'load', bytes: load.proof.dump.bytes });
  const isSingle = load.oneTransaction || load.options.includes('--single-transaction');
  const jobs = isSingle ? 1 : (load.jobs ?? availableParallelism());
  return runProgram({
    ...program(load, place),
    args: [...baseArguments(load, place), ...(jobs > 1 ? [`--jobs=${jobs}`] : []), file],
  });
}

function program(load: DumpToLoad, { programs, access, messages }: LoadPlace) {
  return {
    program: programs.pgRestore,
    env: access.env,
    signal: load.signal,
    onMessage: (line: string) => messages.take(line),
  };
}

function baseArguments(load: DumpToLoad, { access }: LoadPlace): string[] {
  const single = load.oneTransaction ? ['--single-transaction'] : [];
  const own = ['--no-password', `--dbname=${access.dbname}`];
  return [...new Set([...own, ...single, ...load.options, ...partArguments(load.part)])];
}

/** A part as pg_restore is told it. */
export function partArguments(part: DumpPart): string[] {
  const tables = part.tables.map(parsePartTable);
  const schemas = new Set([...part.schemas, ...tables.flatMap(({ schema }) => schema ?? [])]);
  return [
    ...tables.map(({ table }) => `--table=${table}`),
    ...[...schemas].map((schema) => `--schema=${schema}`),
    ...part.sections.map((section) => `--section=${section}`),
    ...(part.dataOnly ? ['--data-only'] : []),
    ...(part.schemaOnly ? ['--schema-only'] : []),
    // What is to be dropped may not be there.
    ...(part.clean ? ['--clean', '--if-exists'] : []),
  ];
}

function isWhole({ tables, schemas, sections, schemaOnly }: DumpPart): boolean {
  return tables.length + schemas.length + sections.length === 0 && !schemaOnly;
}
