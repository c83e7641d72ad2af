import { createHash, type Hash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { createGzip, type Gzip } from 'node:zlib';
import type { DatabaseConfig, ServiceConfig } from '../../config/thaw-config.ts';
import type { BackupOutcome, BackupRequest } from '../../contract/backup-request.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { withDatabase } from '../../postgres/connect-database.ts';
import { databaseBytes, serverMajor } from '../../postgres/server-facts.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { beginningsOf } from '../choose/list-dumps.ts';
import { type ContentFacts, readContent } from '../format/prove.ts';
import { findPrograms, type Programs } from '../tools/client-programs.ts';
import { type ProgramAccess, programAccess } from '../tools/passfile.ts';
import { withPrivateFolder } from '../tools/private-folder.ts';
import { ProgramMessages } from '../tools/program-messages.ts';
import { warningLines } from '../tools/restore-failure.ts';
import { runProgram } from '../tools/run-program.ts';
import { backupFailure } from './backup-failure.ts';
import { type DumpManifest, manifestKey, manifestText } from './manifest.ts';

/** A backup to be made. */
export interface Backup {
  readonly request: Pick<BackupRequest, 'format' | 'options'>;
  readonly service: ServiceConfig;
  readonly store: ObjectStore;
  /** Folder of the dumps in the store, without trailing slash; may be empty. */
  readonly prefix: string;
  /** Where the password, the programs and the folder for temporary files are looked for. */
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** Called with the bytes that have gone to the store so far. */
  readonly onBytes?: (bytes: number) => void;
}

/** A pg_dump that can be begun. */
interface Dumping {
  readonly backup: Backup;
  readonly programs: Programs;
  readonly access: ProgramAccess;
  readonly key: string;
  readonly messages: ProgramMessages;
  /** Bytes of the database: no dump is much larger. */
  readonly about: number;
}

/** What has gone to the store. */
interface Sent {
  readonly digest: Hash;
  bytes: number;
}

const contentType = 'application/gzip';
const sessionName = 'thaw/backup';

/**
 * Has pg_dump write through gzip into the store; nothing touches the disk but what pg_dump itself puts there for a
 * while. The upload is completed only after pg_dump has ended well, so that half a dump never lies there; the
 * manifest is written last. What streams by is read as a proof reads it, for the rows of each table.
 *
 * @throws ThawError `ConfigInvalid` where programs are missing or too old, or options name what is not there;
 * `PermissionDenied`; `DatabaseUnavailable` and `LockTimeout`; errors of the store; the signal's reason
 */
export async function backUp(backup: Backup): Promise<BackupOutcome> {
  const begun = performance.now();
  const { service, store, prefix, env, signal } = backup;
  const { connection } = service;
  const session = { applicationName: sessionName, signal };
  const { major, about } = await withDatabase(connection, env, session, async (client) => ({
    major: await serverMajor(client),
    about: await databaseBytes(client),
  }));
  const programs = await findPrograms(env, { atLeast: major });
  const takenAt = new Date();
  const name = backupName(service, takenAt);
  const key = prefix === '' ? name : `${prefix}/${name}`;
  const messages = new ProgramMessages();
  const { sent, content } = await withPrivateFolder(env, async (folder) => {
    const access = await programAccess(folder, connection, env, sessionName);
    return stream({ backup, programs, access, key, messages, about });
  });
  const manifest = manifestOf(backup, { key, takenAt, programs, sent, content });
  await store.write(manifestKey(key), Buffer.from(manifestText(manifest)), 'application/json');
  const { bytes, sha256, server_version: serverVersion, tables, rows } = manifest;
  const notices = content instanceof ThawError ? [`The rows could not be counted: ${content.message}`] : [];
  return {
    ...{ key, bytes, sha256, serverVersion, tables: tables.length, rows },
    warnings: [...notices, ...warningLines(messages)].slice(0, 20),
    seconds: (performance.now() - begun) / 1000,
  };
}

/** `{prefix}-{time}.tar.gz`, as the S3 tool names its dumps, whatever is in them. */
export function backupName(service: ServiceConfig, takenAt: Date): string {
  return `${beginningsOf(service)[0]}-${takenAt.toISOString().replaceAll(/[:.]/g, '-')}.tar.gz`;
}

async function stream(dumping: Dumping): Promise<{ sent: Sent; content: ContentFacts | ThawError }> {
  const { backup, key, about } = dumping;
  const { store, signal, onBytes, request, env } = backup;
  const stopping = new AbortController();
  const either = AbortSignal.any([signal, stopping.signal]);
  const gzip = createGzip();
  const copy = new PassThrough();
  const sent: Sent = { digest: createHash('sha256'), bytes: 0 };
  const reading = readCopy(request.format, copy, { object: key, env, signal: either });
  const dump = runDump(dumping, { gzip, copy, signal: either });
  // Told below, and what fails first is what the upload fails for.
  dump.catch(() => {});
  reading.catch(() => {});
  try {
    await store.writeStream(key, watched(gzip, sent, onBytes), contentType, about);
    await dump;
    return { sent, content: await reading };
  } finally {
    // An upload that has failed leaves pg_dump without anybody who takes what it writes.
    stopping.abort();
    copy.destroy();
    await Promise.allSettled([dump, reading]);
  }
}

interface Outputs {
  readonly gzip: Gzip;
  readonly copy: PassThrough;
  readonly signal: AbortSignal;
}

/** Runs pg_dump, and ends its outputs only once it has ended well. */
async function runDump(dumping: Dumping, { gzip, copy, signal }: Outputs): Promise<void> {
  const { backup, programs, access, messages } = dumping;
  const { format, options } = backup.request;
  try {
    const end = await runProgram({
      program: programs.pgDump,
      args: ['--no-password', `--dbname=${access.dbname}`, `--format=${format}`, ...options],
      env: access.env,
      signal,
      onOutput: async (chunks) => {
        for await (const chunk of chunks) await Promise.all([give(gzip, chunk), give(copy, chunk)]);
      },
      onMessage: (line) => messages.take(line),
    });
    messages.end();
    const failure = backupFailure({ end, messages, programs, database: backup.service.connection.name });
    if (failure !== null) throw failure;
    gzip.end();
    copy.end();
  } catch (error) {
    gzip.destroy(error instanceof Error ? error : new Error(String(error)));
    copy.destroy();
    throw error;
  }
}

/** What a proof would find; why it could not where it could not, as a dump that nobody can count is a dump all the same. */
async function readCopy(
  format: BackupRequest['format'],
  copy: PassThrough,
  reading: { readonly object: string; readonly env: NodeJS.ProcessEnv; readonly signal: AbortSignal },
): Promise<ContentFacts | ThawError> {
  try {
    return await readContent(format, buffers(copy), reading);
  } catch (error) {
    if (error instanceof ThawError) return error;
    throw error;
  } finally {
    copy.destroy();
  }
}

async function* buffers(stream: PassThrough): AsyncGenerator<Buffer> {
  for await (const chunk of stream) yield chunk as Buffer;
}

/** Writes, and waits while the other end is behind; one that has gone away takes nothing more. */
async function give(output: Gzip | PassThrough, chunk: Buffer): Promise<void> {
  if (output.destroyed || output.write(chunk)) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      output.off('drain', done);
      output.off('close', done);
      resolve();
    };
    output.once('drain', done);
    output.once('close', done);
  });
}

async function* watched(gzip: Gzip, sent: Sent, onBytes: Backup['onBytes']): AsyncGenerator<Buffer> {
  for await (const chunk of gzip) {
    const bytes = chunk as Buffer;
    sent.digest.update(bytes);
    sent.bytes += bytes.length;
    onBytes?.(sent.bytes);
    yield bytes;
  }
}

interface Made {
  readonly key: string;
  readonly takenAt: Date;
  readonly programs: Programs;
  readonly sent: Sent;
  readonly content: ContentFacts | ThawError;
}

function manifestOf(backup: Backup, { key, takenAt, programs, sent, content }: Made): DumpManifest {
  const facts = content instanceof ThawError ? null : content;
  const tables = (facts?.tables ?? []).map(({ table, rows }) => ({ table, rows }));
  const database: DatabaseConfig['name'] = backup.service.connection.name;
  return {
    ...{ key, sha256: sent.digest.digest('hex'), bytes: sent.bytes },
    format: backup.request.format,
    compression: 'gzip',
    taken_at: takenAt.toISOString(),
    database,
    server_version: facts?.serverVersion ?? null,
    pg_dump_version: programs.version,
    rows: facts === null ? null : sumOf(tables),
    tables,
  };
}

function sumOf(tables: DumpManifest['tables']): number | null {
  return tables.reduce<number | null>(
    (sum, { rows }) => (sum === null || rows === null ? null : sum + rows),
    0,
  );
}
