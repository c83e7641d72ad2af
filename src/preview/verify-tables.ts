import type { RestoreRequest } from '../contract/restore-request.ts';
import { findArchives } from '../load/listing.ts';
import { LoadProgress } from '../load/load-progress.ts';
import type { ThawContext } from '../load/thaw-context.ts';
import { verifyPage } from '../load/verify-page.ts';
import { TableResults } from '../restore/table-results.ts';
import { unsoundError, unsoundOutcome, type VerifiedTable } from '../restore/unsound.ts';
import type { RehearsedOutcome, TableToRehearse } from './rehearse-table.ts';

/** Archives that are found at a time. */
const pageSize = 500;

/**
 * Reads all archives to their ends, as `--verify-first` does.
 *
 * @returns what the restore would tell of each table, where archives of any are not sound; null otherwise
 * @throws ThawError for what is not about one archive
 */
export async function verifyTables(
  thaw: ThawContext,
  request: RestoreRequest,
  tables: readonly TableToRehearse[],
  signal: AbortSignal,
): Promise<readonly RehearsedOutcome[] | null> {
  const verified: VerifiedTable[] = [];
  for (const table of tables) verified.push(await verifyTable(thaw, request, table, signal));
  if (unsoundError(verified) === null) return null;
  const nothing = { estimate: { seconds: 0, diskBytes: 0 }, unforeseen: [] };
  return verified.map((each) => ({ ...unsoundOutcome(each), ...nothing }));
}

async function verifyTable(
  thaw: ThawContext,
  { restoreId, fingerprint, database, options, keys }: RestoreRequest,
  { table, archives, folders }: TableToRehearse,
  signal: AbortSignal,
): Promise<VerifiedTable> {
  const results = new TableResults(null);
  const scope = { restoreId, fingerprint, database, table };
  for (let from = 0; from < archives.length; from += pageSize) {
    const page = archives.slice(from, from + pageSize).map(({ key }) => key);
    const refs = await findArchives(thaw.store, folders, page, signal);
    const found = { folder: folders[0] ?? '', archives: refs };
    const input = { scope, options, keys };
    results.addUnsound(await verifyPage(thaw, input, found, new LoadProgress(), signal));
  }
  return { table, archives: archives.length, results };
}
