import type pg from 'pg';
import { applyStatements, type Statement } from '../../postgres/apply-statements.ts';
import {
  type DatabaseObject,
  grantsToOwn,
  objectKey,
  readObjects,
  readOwners,
} from '../../postgres/database-objects.ts';
import { quoteIdentifier } from '../../postgres/identifier.ts';

/**
 * Gives each object the owner that it has in the live database. `reassign owned` would fail at the first object
 * that a database cannot be without.
 *
 * @param owner who owns everything instead, but what is built in or of an extension
 * @returns what could not be changed
 */
export async function carryOwners(
  fresh: pg.Client,
  live: readonly DatabaseObject[],
  owner: string | null,
): Promise<string[]> {
  const ours = await readOwners(fresh);
  const source = new Map(live.map((object) => [objectKey(object), object]));
  const changes = (await readObjects(fresh)).flatMap((object) => {
    const wanted = wantedOwner(object, source.get(objectKey(object)) ?? null, owner, ours);
    return wanted === object.owner || object.follows ? [] : [{ object, wanted }];
  });
  const fixed = changes.filter(({ object }) => object.type === 'extension');
  const movable = changes.filter(({ object }) => object.type !== 'extension');
  // Who is given an object has to be let into its schema; what the live database does not grant goes again later.
  const takers = movable.map(({ object, wanted }) => ({ role: wanted, schema: object.schema }));
  const failures = await applyStatements(fresh, [
    ...(await grantsToOwn(fresh, takers)).map((sql) => ({ what: sql, sql })),
    ...movable.map(({ object, wanted }) => changeOwner(object, wanted)),
  ]);
  const stay = fixed.map(
    ({ object, wanted }) =>
      `Not carried over: the owner ${wanted} of extension ${object.identity}, which belongs to ${object.owner}.`,
  );
  return [...failures, ...stay];
}

function wantedOwner(
  object: DatabaseObject,
  live: DatabaseObject | null,
  owner: string | null,
  ours: { readonly database: string; readonly user: string },
): string {
  const made = !object.builtIn && !object.ofExtension && object.type !== 'extension';
  if (owner !== null && made) return owner;
  if (live !== null && owner === null) return live.owner;
  return made && object.owner === ours.user ? ours.database : object.owner;
}

/** How `alter` calls what `pg_identify_object` calls otherwise. */
const alterNames: Readonly<Record<string, string>> = {
  function: 'routine',
  procedure: 'routine',
  aggregate: 'routine',
  'foreign-data wrapper': 'foreign data wrapper',
  'statistics object': 'statistics',
};

function changeOwner({ type, identity }: DatabaseObject, owner: string): Statement {
  const sql = `alter ${alterNames[type] ?? type} ${identity} owner to ${quoteIdentifier(owner)}`;
  return { what: sql, sql };
}
