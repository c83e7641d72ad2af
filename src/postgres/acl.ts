import type pg from 'pg';
import type { Statement } from './apply-statements.ts';
import { quoteIdentifier } from './identifier.ts';

/** One privilege that a role gave another, as `aclexplode` tells. */
export interface Grant {
  readonly grantor: string;
  /** Null: PUBLIC. */
  readonly grantee: string | null;
  /** As in `grant`, in upper case. */
  readonly privilege: string;
  /** The grantee may hand it on. */
  readonly grantable: boolean;
}

/** Takes lists of privileges apart, which are the text of an `aclitem[]`: the same text is asked for once. */
export async function readAcls(
  client: pg.Client,
  texts: Iterable<string>,
): Promise<ReadonlyMap<string, readonly Grant[]>> {
  const asked = [...new Set(texts)];
  const { rows } = await client.query<Grant & { text: string }>(
    `select text, pg_get_userbyid(grantor) as grantor,
       case when grantee <> 0 then pg_get_userbyid(grantee) end as grantee,
       privilege_type as privilege, is_grantable as grantable
     from unnest($1::text[]) as asked (text), aclexplode(text::aclitem[])`,
    // An empty array has no dimension, which aclexplode does not bear.
    [asked.filter((text) => text !== '{}')],
  );
  const found = new Map<string, Grant[]>(asked.map((text) => [text, []]));
  for (const { text, ...grant } of rows) found.get(text)?.push(grant);
  return found;
}

/**
 * What the privileges of an object become when it changes hands, as `alter … owner to` has it: what its owner
 * had and gave, the new one has and gives.
 */
export function changeHands(grants: readonly Grant[], from: string, to: string): Grant[] {
  if (from === to) return [...grants];
  const changed = new Map<string, Grant>();
  for (const { grantor, grantee, privilege, grantable } of grants) {
    const grant = {
      grantor: grantor === from ? to : grantor,
      grantee: grantee === from ? to : grantee,
      privilege,
      grantable,
    };
    const same = changed.get(key(grant));
    changed.set(key(grant), { ...grant, grantable: grantable || (same?.grantable ?? false) });
  }
  return [...changed.values()];
}

/** What has to be taken away: the whole of it, or only the right to hand it on. */
export interface Revocation {
  readonly grant: Grant;
  readonly optionOnly: boolean;
}

/** What one list of privileges has too much, against another. */
export function surplus(have: readonly Grant[], want: readonly Grant[]): Revocation[] {
  const wanted = byKey(want);
  return have.flatMap((grant): Revocation[] => {
    const same = wanted.get(key(grant));
    if (same === undefined) return [{ grant, optionOnly: false }];
    return grant.grantable && !same.grantable ? [{ grant, optionOnly: true }] : [];
  });
}

/** What one list of privileges lacks, against another; who hands on has it before. */
export function shortfall(have: readonly Grant[], want: readonly Grant[], owner: string): Grant[] {
  const there = byKey(have);
  const lacking = want.filter((grant) => {
    const same = there.get(key(grant));
    return same === undefined || (grant.grantable && !same.grantable);
  });
  const holders = new Set(have.filter(({ grantable }) => grantable).map(holderKey));
  const ordered: Grant[] = [];
  for (let left = lacking; left.length > 0; ) {
    const ready = left.filter(
      ({ grantor, privilege }) =>
        grantor === owner || holders.has(holderKey({ grantee: grantor, privilege })),
    );
    // Those that nobody could have given are left to PostgreSQL to judge.
    const next = ready.length > 0 ? ready : left;
    ordered.push(...next);
    for (const grant of next) if (grant.grantable) holders.add(holderKey(grant));
    left = left.filter((grant) => !next.includes(grant));
  }
  return ordered;
}

function byKey(grants: readonly Grant[]): Map<string, Grant> {
  return new Map(grants.map((grant) => [key(grant), grant]));
}

function key({ grantor, grantee, privilege }: Grant): string {
  return JSON.stringify([grantor, grantee, privilege]);
}

function holderKey({ grantee, privilege }: Pick<Grant, 'grantee' | 'privilege'>): string {
  return JSON.stringify([grantee, privilege]);
}

/** What is granted on what: `on` is `table public.t`, or with `alter default privileges` `tables`. */
export interface GrantPlace {
  /** Stands before `grant` and `revoke`; empty, or `alter default privileges …`. */
  readonly prefix?: string;
  readonly on: string;
  /** Of a column: its name, which stands behind the privilege. */
  readonly column?: string;
  readonly owner: string;
}

/** The statements that grant so. */
export function grantStatements(place: GrantPlace, grants: readonly Grant[]): Statement[] {
  return grouped(grants, ({ grantable }) => grantable).map(([privileges, { grantor, grantee, grantable }]) =>
    asGrantor(
      place,
      grantor,
      `${place.prefix ?? ''}grant ${listed(privileges, place)} on ${place.on} to ${role(grantee)}${grantable ? ' with grant option' : ''}`,
    ),
  );
}

/** The statements that take it away, with all that was handed on. */
export function revokeStatements(place: GrantPlace, revocations: readonly Revocation[]): Statement[] {
  return [false, true].flatMap((optionOnly) => {
    const of = revocations.filter((revocation) => revocation.optionOnly === optionOnly);
    return grouped(
      of.map(({ grant }) => grant),
      () => optionOnly,
    ).map(([privileges, { grantor, grantee }]) =>
      asGrantor(
        place,
        grantor,
        `${place.prefix ?? ''}revoke ${optionOnly ? 'grant option for ' : ''}${listed(privileges, place)} on ${place.on} from ${role(grantee)} cascade`,
      ),
    );
  });
}

/** Puts together what differs in the privilege alone, in the order of the first of each. */
function grouped(grants: readonly Grant[], kind: (grant: Grant) => boolean): [string[], Grant][] {
  const groups = new Map<string, [string[], Grant]>();
  for (const grant of grants) {
    const group = JSON.stringify([grant.grantor, grant.grantee, kind(grant)]);
    const [privileges] = groups.get(group) ?? [[]];
    groups.set(group, [[...privileges, grant.privilege], grant]);
  }
  return [...groups.values()];
}

function listed(privileges: readonly string[], { column }: GrantPlace): string {
  const suffix = column === undefined ? '' : ` (${quoteIdentifier(column)})`;
  return privileges.map((privilege) => privilege.toLowerCase() + suffix).join(', ');
}

/**
 * A superuser and members of the owner give in the owner's name; for others one has to be who gives, and where
 * one may not, the owner gives.
 */
function asGrantor({ owner }: GrantPlace, grantor: string, statement: string): Statement {
  if (grantor === owner) return { what: statement, sql: statement };
  const sql = `set local role ${quoteIdentifier(grantor)}; ${statement}; set local role none`;
  return { what: `${statement}, granted by ${quoteIdentifier(grantor)}`, sql, otherwise: statement };
}

function role(grantee: string | null): string {
  return grantee === null ? 'public' : quoteIdentifier(grantee);
}
