import type pg from 'pg';
import { type DatabaseContent, objectKey, readContent } from '../../postgres/database-objects.ts';
import { administer } from '../../postgres/databases.ts';
import { carryOwners } from './carry-owners.ts';
import { carryPrivileges } from './carry-privileges.ts';

/** Databases between which something is carried. */
export interface CarryOver {
  /** A session in the live database; null where there is none. */
  readonly live: pg.Client | null;
  /** A session in the database that is to take its place, as the user that loaded it. */
  readonly fresh: pg.Client;
  /** Who is to own everything; null: whoever owns it in the live one. */
  readonly owner: string | null;
}

/** Lines of notices, of which there may be one for each object. */
const noticeLimit = 50;

/**
 * Gives the objects of a loaded database the owners and privileges that they have in the live one, which dumps
 * without owners and privileges do not hold; also default privileges. Object by object, by identity: what both
 * have becomes as in the live one, whatever the dump said; what the dump alone has stays as the dump said, but
 * belongs to the owner of the database where it belonged to who loaded it. Doing it twice does it once.
 *
 * @returns what was not carried over and why, at most {@link noticeLimit} lines and one that counts the rest
 * @throws ThawError of the retryable kinds
 */
export async function carryOver({ live, fresh, owner }: CarryOver): Promise<string[]> {
  return administer('the new database', async () => {
    for (const client of live === null ? [fresh] : [live, fresh]) await settle(client);
    const wanted = live === null ? nothing : await readContent(live);
    const owners = await carryOwners(fresh, wanted.objects, owner);
    const privileges = live === null ? [] : await carryPrivileges(fresh, wanted);
    const missing = live === null ? [] : withoutCounterpart(wanted, await readContent(fresh));
    return bounded([...owners, ...privileges, ...missing]);
  });
}

const nothing: DatabaseContent = { objects: [], columns: [], defaults: [], labels: [] };

/** What the settings of a database may have changed, on a second attempt those that were carried over too. */
async function settle(client: pg.Client): Promise<void> {
  await client.query(`
    set session authorization default; set role none;
    set search_path = ''; set default_transaction_read_only = off`);
}

/** What the live database has and the new one does not. */
function withoutCounterpart(live: DatabaseContent, fresh: DatabaseContent): string[] {
  const there = new Set(fresh.objects.map(objectKey));
  const lines = live.objects
    .filter(
      (object) => !object.ofExtension && !object.follows && !object.builtIn && !there.has(objectKey(object)),
    )
    .map(({ type, identity, owner }) => `Not in the new database: ${type} ${identity}, of ${owner}.`);
  const labels = live.labels.filter((label) => !fresh.labels.includes(label));
  return [...lines, ...labels.map((label) => `Not carried over: the security label of ${label}.`)];
}

function bounded(lines: readonly string[]): string[] {
  if (lines.length <= noticeLimit) return [...lines];
  return [
    ...lines.slice(0, noticeLimit),
    `And ${lines.length - noticeLimit} more that were not carried over.`,
  ];
}
