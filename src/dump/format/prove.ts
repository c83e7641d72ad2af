import { open } from 'node:fs/promises';
import path from 'node:path';
import { Damage } from '../../archive/damage.ts';
import type { DumpProof } from '../../contract/dump-activities.ts';
import type { DumpRef } from '../../contract/dump-request.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ArchiveStore } from '../../store/object-store.ts';
import { readManifest } from '../backup/manifest.ts';
import { ManifestCheck } from '../backup/manifest-check.ts';
import { withPrivateFolder } from '../tools/private-folder.ts';
import { type ArchiveHeader, headerBytes, readArchiveHeader } from './archive-header.ts';
import { type ArchiveReading, readList, readScript } from './archive-script.ts';
import { findChecksums } from './checksums.ts';
import { continued, corruptDump, openDump } from './open-dump.ts';
import { type PlainFacts, PlainScan } from './plain-scan.ts';
import type { DumpedRows } from './plain-statements.ts';
import { tableName } from './table-name.ts';
import { scanTar } from './tar-scan.ts';
import { entriesWithData, type TocEntry } from './toc.ts';

/** How a dump is proved. */
export interface ProveOptions {
  /** Where programs and the folder for temporary files are looked for. */
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** Called with the bytes of the object that have come so far. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** A dump that is whole, with all that it tells of itself. */
export interface ProvenDump {
  readonly proof: DumpProof;
  readonly tables: readonly DumpedRows[];
  readonly toc: readonly TocEntry[];
}

/** A list in Temporal has to stay short. */
const maxRoles = 100;
const maxExtensions = 100;

/** What the content of a dump tells, its wrapping taken off. */
export type ContentFacts = PlainFacts & {
  readonly database: string | null;
  /** `zlib` where rows are compressed so, each block with a checksum; null: its content has none. */
  readonly checksum: 'zlib' | null;
};

/**
 * Reads a dump to its end: every wrapping by its checksums, tars and directories member by member, custom ones
 * through pg_restore, plain ones as psql would read them up to their last line. Rows are counted on the way; nothing
 * is put on disk but the table of contents of tars and directories.
 *
 * @throws ThawError `ArchiveCorrupt` for what is no dump or not whole; `ChecksumMismatch` and `CountMismatch` for what
 * is not what the manifest or checksum beside it says; `InputInvalid` for what has to be decrypted or
 * unpacked first, and for what psql would act upon; `ConfigInvalid` where there is no pg_restore that can read it;
 * errors of the store
 */
export async function proveDump(
  store: ArchiveStore,
  dump: DumpRef,
  { env, signal, onBytes }: ProveOptions,
): Promise<ProvenDump> {
  const manifest = await manifestOf(store, dump.key, signal);
  const checksums = manifest.check === null ? await findChecksums(store, dump, signal) : null;
  const opened = await openDump(store, dump.key, {
    etag: dump.etag,
    signal,
    onBytes,
    onChunk: (chunk) => {
      manifest.check?.take(chunk);
      checksums?.take(chunk);
    },
  });
  const { format, compression } = opened;
  let bytes = 0;
  const chunks = watched(opened.chunks, (chunk) => {
    bytes += chunk.length;
  });
  const reading = { object: dump.key, env, signal };
  const facts = await readContent(format, chunks, reading);
  const checksum = checksums === null ? 'manifest' : (checksums.compare() ?? facts.checksum);
  if (facts.cut !== null) throw corruptDump(dump.key, facts.cut);
  const { serverVersion, dumpVersion, database, tables, toc } = facts;
  manifest.check?.compare(tables);
  const rows = tables.reduce<number | null>((sum, table) => plus(sum, table.rows), 0);
  const proof: DumpProof = {
    ...{ dump, format, compression, serverVersion, dumpVersion, database, bytes, rows },
    tables: tables.length,
    extensions: facts.extensions.slice(0, maxExtensions),
    roles: facts.roles.slice(0, maxRoles),
    dropsTables: facts.dropsTables,
    checksum,
    notices: [...manifest.notices, ...noticesOf(dump.key, format, facts)],
  };
  return { proof, tables, toc };
}

/**
 * Reads the content of a dump to its end.
 *
 * @throws ThawError as {@link proveDump} does
 */
export function readContent(
  format: DumpProof['format'],
  chunks: AsyncGenerator<Buffer>,
  reading: Omit<ArchiveReading, 'header'>,
): Promise<ContentFacts> {
  if (format === 'custom') return ofCustom(chunks, reading);
  if (format === 'tar' || format === 'directory') return ofTar(chunks, reading);
  return ofPlain(chunks, reading.object, format === 'cluster');
}

async function ofPlain(
  chunks: AsyncIterable<Buffer>,
  object: string,
  isCluster: boolean,
): Promise<ContentFacts> {
  const scan = new PlainScan(object);
  let refused: unknown = null;
  for await (const chunk of chunks) {
    // Read to the end all the same: where the wrapping is damaged, that is what is wrong with the line.
    if (refused !== null) continue;
    try {
      scan.push(chunk);
    } catch (error) {
      refused = error;
    }
  }
  if (refused !== null) throw refused;
  const facts = scan.end();
  return { ...facts, database: isCluster ? null : (facts.databases[0] ?? null), checksum: null };
}

async function ofCustom(
  chunks: AsyncGenerator<Buffer>,
  reading: Omit<ArchiveReading, 'header'>,
): Promise<ContentFacts> {
  const head = await chunks.next();
  const first = head.done === true ? Buffer.alloc(0) : head.value;
  const header = readArchiveHeader(first.subarray(0, headerBytes));
  const facts = await readScript({ ...reading, header }, continued(first, chunks));
  return ofArchive(facts, header);
}

async function ofTar(
  chunks: AsyncIterable<Buffer>,
  reading: Omit<ArchiveReading, 'header'>,
): Promise<ContentFacts> {
  return withPrivateFolder(reading.env, async (parent) => {
    const { folder, members } = await scanTar(chunks, parent).catch((error: unknown) => {
      throw error instanceof Damage ? corruptDump(reading.object, error.message, error) : error;
    });
    const header = readArchiveHeader(await beginningOf(path.join(folder, 'toc.dat')));
    const asked = { ...reading, header };
    const missing = entriesWithData(await readList(asked, folder)).filter((id) => !members.has(id));
    if (missing.length > 0) {
      throw corruptDump(
        reading.object,
        `the data of ${missing.length} tables are missing (${missing[0]}.dat)`,
      );
    }
    const facts = await readScript(asked, folder);
    return ofArchive({ ...facts, tables: countedTables(facts, members) }, header);
  });
}

/** What pg_restore makes of itself when it reads an archive says nothing of the dump. */
function ofArchive(facts: PlainFacts, header: ArchiveHeader | null): ContentFacts {
  const checksum = header?.isDeflated === true ? 'zlib' : null;
  return { ...facts, settings: [], database: header?.database ?? null, checksum };
}

/** Tables as the table of contents names them, with the rows that were counted in their files. */
function countedTables(
  { toc }: PlainFacts,
  members: ReadonlyMap<number, { rows: number | null }>,
): DumpedRows[] {
  return toc
    .filter(({ kind }) => kind === 'TABLE DATA')
    .map(({ dumpId, schema, name }) => ({
      database: null,
      table: tableName(schema ?? 'public', name),
      rows: members.get(dumpId)?.rows ?? null,
    }));
}

/** What the manifest beside a dump has to say; one that cannot be read has nothing. */
async function manifestOf(
  store: ArchiveStore,
  key: string,
  signal: AbortSignal,
): Promise<{ readonly check: ManifestCheck | null; readonly notices: readonly string[] }> {
  try {
    const manifest = await readManifest(store, key, signal);
    return { check: manifest === null ? null : new ManifestCheck(key, manifest), notices: [] };
  } catch (error) {
    if (!(error instanceof ThawError) || error.code !== 'MetadataInvalid') throw error;
    return { check: null, notices: [`${error.message}: the dump was not compared with it.`] };
  }
}

function noticesOf(key: string, format: DumpProof['format'], facts: ContentFacts): string[] {
  const notices: string[] = [];
  const { databases, settings, serverVersion, tables, roles } = facts;
  if (format === 'plain' && databases.length > 0) {
    notices.push(
      `${key} was made with --create, as database ${databases.join(', ')}; what it says of the database itself is left out.`,
    );
  }
  if (settings.includes('transaction_timeout') && Number.parseInt(serverVersion ?? '17', 10) < 17) {
    notices.push(`${key} sets transaction_timeout, which servers before PostgreSQL 17 do not know.`);
  }
  const uncounted = tables.filter(({ rows }) => rows === null).length;
  if (uncounted > 0) notices.push(`${key} does not tell how many rows ${uncounted} of its tables have.`);
  if (roles.length > maxRoles)
    notices.push(`${key} names ${roles.length} roles; ${maxRoles} of them are told.`);
  return notices;
}

function plus(sum: number | null, rows: number | null): number | null {
  return sum === null || rows === null ? null : sum + rows;
}

async function beginningOf(file: string): Promise<Buffer> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(headerBytes), 0, headerBytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function* watched(
  chunks: AsyncIterable<Buffer>,
  onChunk: (chunk: Buffer) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    onChunk(chunk);
    yield chunk;
  }
}
