import type pg from 'pg';
import { ThawError } from '../../contract/thaw-error.ts';
import {
  administer,
  allowConnections,
  closeToPublic,
  commentOnDatabase,
  createDatabase,
  type DatabaseLikeness,
  dropDatabase,
  readDatabase,
} from '../../postgres/databases.ts';
import { quoteIdentifier } from '../../postgres/identifier.ts';
import { inTransaction } from '../../postgres/transaction.ts';
import { readState } from './carry-database.ts';
import { newDatabaseName } from './database-names.ts';
import { formatRecord, type NewRecord, parseRecord } from './database-record.ts';
import { repairLive } from './repair-live.ts';

/** Which restore makes a database beside which live one. */
export interface BesideOrder {
  /** The live database. */
  readonly database: string;
  readonly restoreId: string;
}

/**
 * Makes the empty database beside the live one that a restore loads: from template0, with the owner, encoding,
 * locale and tablespace of the live one, else with encoding and locale of `like`, else as the server makes them. Nobody but its owner and superusers may
 * connect until it is swapped in. What an earlier attempt loaded is dropped. Its comment keeps what the live one
 * is like, so that this may be dropped before the swap.
 *
 * @param client a session in the maintenance database
 * @param owner null: that of the live one, else the user
 * @param like database that another one is made beside, where there is no live one of its name
 * @returns its name
 * @throws ThawError `PermissionDenied`, or `TargetBusy` where somebody else's database has the name
 */
export async function createBeside(
  client: pg.Client,
  order: BesideOrder,
  owner: string | null,
  like?: string,
): Promise<string> {
  return administer(order.database, () => create(client, order, owner, like));
}

async function create(
  client: pg.Client,
  order: BesideOrder,
  owner: string | null,
  like: string | undefined,
): Promise<string> {
  const earlier = await discard(client, order);
  const name = newDatabaseName(order.database, order.restoreId);
  const live = await readDatabase(client, order.database);
  const state = live === null ? (earlier?.state ?? null) : await readState(client, live);
  const asked: Partial<DatabaseLikeness> = owner === null ? {} : { owner };
  const model = live === null && like !== undefined ? await readDatabase(client, like) : null;
  await createDatabase(client, name, { ...(model === null ? {} : localeOf(model)), ...state, ...asked });
  const { restoreId: restore, database } = order;
  const record: NewRecord = { thaw: 'new', restore, live: database, closed: [], state };
  await inTransaction(client, async () => {
    await commentOnDatabase(client, name, formatRecord(record));
    await closeToPublic(client, name);
    await allowConnections(client, name, true);
  });
  return name;
}

/** What texts are stored and sorted by, which a dump does not tell. */
function localeOf({ encoding, collate, ctype, provider, locale, icuRules }: DatabaseLikeness) {
  return { encoding, collate, ctype, provider, locale, icuRules };
}

/**
 * Drops the database that a restore made beside the live one, and opens the live one again should a swap have
 * broken off; does nothing where there is nothing to do.
 *
 * @param client a session in the maintenance database
 * @throws ThawError `TargetBusy` where the name is that of somebody else's database
 */
export async function discardBeside(client: pg.Client, order: BesideOrder): Promise<void> {
  await administer(order.database, () => discard(client, order));
}

/** Gives the record of the one that it dropped. */
async function discard(client: pg.Client, order: BesideOrder): Promise<NewRecord | null> {
  await repairLive(client, order.database);
  const name = newDatabaseName(order.database, order.restoreId);
  const found = await readDatabase(client, name);
  if (found === null) return null;
  const record = parseRecord(found.comment);
  const ours = record?.thaw === 'new' && record.restore === order.restoreId ? record : null;
  // One without a comment was made by an attempt that was killed the moment after.
  if (found.comment !== null && ours === null) {
    throw new ThawError('TargetBusy', `The database ${name} is there already, and not of this restore.`, {
      object: name,
      hint: `Where nobody needs it, run: drop database ${quoteIdentifier(name)}; then restore again.`,
    });
  }
  await dropDatabase(client, name);
  return ours;
}
