import type { ServiceConfig } from '../../config/thaw-config.ts';
import type { ErrorCode } from '../../contract/error-code.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { withDatabase } from '../../postgres/connect-database.ts';
import { type DumpMark, readMarks } from '../../postgres/dump-proofs.ts';
import { openDumpStore } from './dump-store.ts';
import { type DumpListing, dumpTime, type ListedDump, listDumps, unreadableNotices } from './list-dumps.ts';
import { type DumpHead, lookInto } from './look-into.ts';

/** A dump with all that is known of it. */
export interface KnownDump extends ListedDump, DumpHead {
  /** ISO 8601; null: never, or not known. */
  readonly provedAt: string | null;
  /** Why it was not good when it was last read to its end; null: it was, or that is not known. */
  readonly fault: ErrorCode | null;
  /** ISO 8601; null: never, or not known. */
  readonly verifiedAt: string | null;
}

/** Which dumps of a service are looked into. */
export interface DumpsWanted {
  /** Only those that are not later, ISO 8601; null: any time. */
  readonly before: string | null;
  readonly offset: number;
  /** Null: all. */
  readonly limit: number | null;
}

/** Dumps of a service, the newest first. */
export interface KnownDumps {
  /** Name of the place that they lie in. */
  readonly place: string;
  readonly listing: DumpListing;
  /** All that are not later than asked. */
  readonly dumps: readonly ListedDump[];
  /** Those of them that were looked into. */
  readonly known: readonly KnownDump[];
  /** What could not be looked at. */
  readonly notices: readonly string[];
  /** Why it is not known which were verified; null where it is. */
  readonly unmarked: ThawError | null;
}

/**
 * Lists the dumps of a service and looks into some of them. A listing is good without the server of the service, which
 * knows what was proved and restored before.
 *
 * @throws ThawError of the store; `ConfigInvalid` where nothing says where its dumps lie
 */
export async function knownDumps(
  service: ServiceConfig,
  { before, offset, limit }: DumpsWanted,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<KnownDumps> {
  const store = await openDumpStore(service, { kind: 'latest', before }, env);
  try {
    const listing = await listDumps(store, service, signal);
    const dumps =
      before === null ? listing.dumps : listing.dumps.filter((dump) => dumpTime(dump) <= Date.parse(before));
    const shown = dumps.slice(offset, limit === null ? undefined : offset + limit);
    const [heads, { marks, unmarked }] = await Promise.all([
      lookInto(store, shown, signal),
      marksOf(service, store.name, shown, env),
    ]);
    const known = shown.flatMap((dump, index): KnownDump[] => {
      const head = heads[index];
      const { provedAt = null, fault = null, verifiedAt = null, serverVersion = null } = marks[index] ?? {};
      if (head === undefined) return [];
      const told = { serverVersion: head.serverVersion ?? serverVersion, provedAt, fault, verifiedAt };
      return [{ ...dump, ...head, ...told }];
    });
    return { place: store.name, listing, dumps, known, notices: unreadableNotices(store, listing), unmarked };
  } finally {
    store.close();
  }
}

async function marksOf(
  { connection, maintenance }: ServiceConfig,
  place: string,
  dumps: readonly ListedDump[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly marks: readonly DumpMark[]; readonly unmarked: ThawError | null }> {
  if (dumps.length === 0) return { marks: [], unmarked: null };
  const session = { applicationName: 'thaw dumps' };
  try {
    const marks = await withDatabase({ ...connection, name: maintenance }, env, session, (client) =>
      readMarks(client, place, dumps),
    );
    return { marks, unmarked: null };
  } catch (error) {
    if (!(error instanceof ThawError)) throw error;
    return { marks: [], unmarked: error };
  }
}
