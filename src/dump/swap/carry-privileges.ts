import type pg from 'pg';
import {
  changeHands,
  type GrantPlace,
  grantStatements,
  readAcls,
  revokeStatements,
  shortfall,
  surplus,
} from '../../postgres/acl.ts';
import { applyStatements } from '../../postgres/apply-statements.ts';
import {
  type DatabaseContent,
  type DatabaseObject,
  objectKey,
  readContent,
} from '../../postgres/database-objects.ts';
import { quoteIdentifier } from '../../postgres/identifier.ts';

/**
 * Makes the privileges in a database those of the live one, by what is granted and who granted it: objects,
 * columns, and default privileges. Call it after the owners were changed, which changes privileges too.
 *
 * @returns what could not be granted or revoked
 */
export async function carryPrivileges(fresh: pg.Client, live: DatabaseContent): Promise<string[]> {
  const before = await compare(fresh, live);
  const revokes = before.flatMap(({ place, have, want }) => revokeStatements(place, surplus(have, want)));
  const failures = await applyStatements(fresh, revokes);
  // Revoking takes along what was handed on, which may be wanted.
  const after = revokes.length === 0 ? before : await compare(fresh, live);
  const grants = after.flatMap(({ place, have, want }) =>
    grantStatements(place, shortfall(have, want, place.owner)),
  );
  return [...failures, ...(await applyStatements(fresh, grants))];
}

/** Where privileges differ, or may: the texts of both lists, and whose they are. */
interface Difference {
  readonly place: GrantPlace;
  readonly have: string;
  readonly want: string;
  /** The owner in the live database. */
  readonly from: string;
}

async function compare(client: pg.Client, live: DatabaseContent) {
  const fresh = await readContent(client);
  const differences = [
    ...objectDifferences(fresh, live),
    ...columnDifferences(fresh, live),
    ...defaultDifferences(fresh, live),
  ];
  const acls = await readAcls(
    client,
    differences.flatMap(({ have, want }) => [have, want]),
  );
  return differences.map(({ place, have, want, from }) => ({
    place,
    have: acls.get(have) ?? [],
    want: changeHands(acls.get(want) ?? [], from, place.owner),
  }));
}

function objectDifferences(fresh: DatabaseContent, live: DatabaseContent): Difference[] {
  const theirs = byKey(live.objects);
  const ours = byKey(fresh.objects);
  // What is built in is there in both, and read only where its privileges were changed.
  const changed = live.objects.filter((object) => object.builtIn && !ours.has(objectKey(object)));
  return [...fresh.objects, ...changed.map(untouched)].flatMap((object) => {
    const same = theirs.get(objectKey(object)) ?? (object.builtIn ? untouched(object) : null);
    if (same === null || object.acl === null || same.acl === null || object.grantOn === null) return [];
    if (object.acl === same.acl && object.owner === same.owner) return [];
    const place = { on: object.grantOn, owner: object.owner };
    return [{ place, have: object.acl, want: same.acl, from: same.owner }];
  });
}

function untouched(object: DatabaseObject): DatabaseObject {
  return { ...object, acl: object.defaultAcl };
}

function byKey(objects: readonly DatabaseObject[]): Map<string, DatabaseObject> {
  return new Map(objects.map((object) => [objectKey(object), object]));
}

/** Of the tables that both have: where a column has no privileges of its own, the list is empty. */
function columnDifferences(fresh: DatabaseContent, live: DatabaseContent): Difference[] {
  const tables = (content: DatabaseContent) =>
    new Map(content.objects.map(({ grantOn, owner }) => [grantOn, owner]));
  const [ours, theirs] = [tables(fresh), tables(live)];
  const lists = new Map<string, { table: string; column: string; have: string; want: string }>();
  for (const { table, column, acl } of fresh.columns) {
    lists.set(JSON.stringify([table, column]), { table, column, have: acl, want: none });
  }
  for (const { table, column, acl } of live.columns) {
    const same = lists.get(JSON.stringify([table, column]));
    lists.set(JSON.stringify([table, column]), { table, column, have: same?.have ?? none, want: acl });
  }
  return [...lists.values()].flatMap(({ table, column, have, want }) => {
    const on = `table ${table}`;
    const [owner, from] = [ours.get(on), theirs.get(on)];
    return owner === undefined || from === undefined
      ? []
      : [{ place: { on, column, owner }, have, want, from }];
  });
}

/** An empty `aclitem[]`. */
const none = '{}';

function defaultDifferences(fresh: DatabaseContent, live: DatabaseContent): Difference[] {
  const key = ({ role, schema, objects }: DatabaseContent['defaults'][number]) =>
    JSON.stringify([role, schema, objects]);
  const ours = new Map(fresh.defaults.map((entry) => [key(entry), entry]));
  const theirs = new Map(live.defaults.map((entry) => [key(entry), entry]));
  // What a dump says of a schema that it alone has stays.
  const schemas = new Set(
    live.objects.filter(({ type }) => type === 'schema').map(({ identity }) => identity),
  );
  return [...new Map([...ours, ...theirs])].flatMap(([at, { role, schema, objects, base }]) => {
    if (schema !== null && !schemas.has(schema)) return [];
    const within = schema === null ? '' : ` in schema ${schema}`;
    const prefix = `alter default privileges for role ${quoteIdentifier(role)}${within} `;
    const place = { prefix, on: objects, owner: role };
    return [{ place, have: ours.get(at)?.acl ?? base, want: theirs.get(at)?.acl ?? base, from: role }];
  });
}
