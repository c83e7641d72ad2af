import type { DumpProof } from '../../contract/dump-activities.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { withDatabase } from '../../postgres/connect-database.ts';
import { applicationName } from '../../postgres/connection.ts';
import { roleNames, schemaNames, serverMajor } from '../../postgres/server-facts.ts';
import { endSessions } from '../../postgres/targets.ts';
import { findPrograms, type Programs } from '../tools/client-programs.ts';
import { programAccess } from '../tools/passfile.ts';
import { withPrivateFolder } from '../tools/private-folder.ts';
import { ProgramMessages } from '../tools/program-messages.ts';
import { restoreFailure, warningLines } from '../tools/restore-failure.ts';
import { checkPart, isPart, readRestoreOptions } from '../tools/restore-options.ts';
import type { DumpToLoad, LoadedDump } from './dump-to-load.ts';
import { loadArchive } from './load-archive.ts';
import type { ServerFacts } from './load-place.ts';
import { loadPlain } from './load-plain.ts';

/** Milliseconds that the server gets to end the sessions of a load that failed. */
const endingTimeout = 15_000;

/**
 * Loads a dump into a database with pg_restore or psql. When it fails or is aborted, the programs and their
 * sessions on the server are ended before this returns, and no file is left; so are those of an earlier
 * attempt at the same restore, before it begins.
 *
 * @throws ThawError `DumpRejected` with the count and the first errors; `InputInvalid` for a part that a plain
 * dump cannot give, and for what psql must not be given; `ConfigInvalid` where programs, space or a version
 * are missing; `ArchiveCorrupt`, `ArchiveChanged` and what the store throws; `PermissionDenied`;
 * `DatabaseUnavailable`; the signal's reason
 */
export async function loadDumpInto(load: DumpToLoad): Promise<LoadedDump> {
  const began = performance.now();
  checkLoad(load);
  const { connection, env, proof, restoreId } = load;
  const isArchive = isArchiveFormat(proof);
  const programs = await programsFor(proof, env);
  const server = await prepareServer(load);
  const messages = new ProgramMessages();
  await withPrivateFolder(env, async (folder) => {
    const access = await programAccess(folder, connection, env, sessionName(restoreId));
    const place = { folder, programs, access, messages, server };
    try {
      const end = await (isArchive ? loadArchive(load, place) : loadPlain(load, place));
      messages.end();
      const name = isArchive ? ('pg_restore' as const) : ('psql' as const);
      const { allowErrors } = load;
      const run = {
        name,
        end,
        messages,
        dump: proof.dump.key,
        database: connection.name,
        programs,
        allowErrors,
      };
      const failure = restoreFailure(run);
      if (failure !== null) throw failure;
    } catch (error) {
      await endLeftSessions(load);
      throw error;
    }
  });
  return { seconds: (performance.now() - began) / 1000, warnings: warningLines(messages) };
}

/** The programs that load a dump. @throws ThawError `ConfigInvalid` where there are none that can */
export function programsFor(proof: DumpProof, env: NodeJS.ProcessEnv): Promise<Programs> {
  const { dumpVersion } = proof;
  const isAsNew = isArchiveFormat(proof) && dumpVersion !== null;
  return findPrograms(env, { atLeast: isAsNew ? Number.parseInt(dumpVersion, 10) : null });
}

function isArchiveFormat({ format }: DumpProof): boolean {
  return format !== 'plain' && format !== 'cluster';
}

/** What the sessions of psql and pg_restore are called in `pg_stat_activity`. */
export function sessionName(restoreId: string): string {
  return applicationName(`thaw/${restoreId}/load`);
}

/**
 * Looks whether a dump can be loaded as it is asked for, by what was found in it.
 *
 * @throws ThawError `InputInvalid`
 */
export function checkLoad({
  proof,
  part,
  options,
  oneTransaction,
  allowErrors,
  cluster,
}: Pick<DumpToLoad, 'proof' | 'part' | 'options' | 'oneTransaction' | 'allowErrors' | 'cluster'>): void {
  const { format, dump } = proof;
  readRestoreOptions(options);
  checkPart(part, dump.key);
  if (format === 'cluster' && !cluster) {
    throw new ThawError(
      'InputInvalid',
      `${dump.key} is what pg_dumpall writes: a whole server, not a database.`,
      {
        object: dump.key,
        hint: 'Ask for the whole server explicitly, on a server made for it; or dump the one database with pg_dump.',
      },
    );
  }
  if (format === 'plain' || format === 'cluster') {
    if (!isPart(part) && options.length === 0) return;
    throw new ThawError('InputInvalid', `${dump.key} is plain SQL, which can only be restored as a whole.`, {
      object: dump.key,
      hint: 'Leave parts and options of pg_restore out. For a part, restore the dump into another database (--into) and take it from there; dumps in tar or custom format (pg_dump --format) have parts.',
    });
  }
  if (oneTransaction && allowErrors) {
    throw new ThawError('InputInvalid', 'Errors cannot be allowed in one transaction.', { object: dump.key });
  }
}

/** Looks whether the database can be reached at all, and ends what an earlier attempt left there. */
function prepareServer({ connection, env, restoreId, signal }: DumpToLoad): Promise<ServerFacts> {
  const options = { applicationName: `thaw/${restoreId}/prepare`, signal };
  return withDatabase(connection, env, options, async (client) => {
    await endSessions(client, sessionName(restoreId));
    return {
      major: await serverMajor(client),
      roles: new Set(await roleNames(client)),
      schemas: new Set(await schemaNames(client)),
    };
  });
}

/** A session goes on with what it was doing when its program is killed, such as building an index. */
async function endLeftSessions({ connection, env, restoreId }: DumpToLoad): Promise<void> {
  const signal = AbortSignal.timeout(endingTimeout);
  const options = { applicationName: `thaw/${restoreId}/end`, signal };
  try {
    await withDatabase(connection, env, options, (client) => endSessions(client, sessionName(restoreId)));
  } catch {
    // The failure that led here is the one to tell; the next attempt ends them again.
  }
}
