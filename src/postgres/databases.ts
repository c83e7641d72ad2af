import pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import { quoteIdentifier, quoteLiteral } from './identifier.ts';
import { databaseError, sqlState } from './sqlstate.ts';

/** What a database is made with. Two that are alike in it sort, compare and encode alike. */
export interface DatabaseLikeness {
  readonly owner: string;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  /** `pg_database.datlocprovider`: builtin, ICU, libc; null before version 15, where libc is the only one. */
  readonly provider: 'b' | 'i' | 'c' | null;
  /** Locale of the builtin provider or of ICU; null with libc. */
  readonly locale: string | null;
  readonly icuRules: string | null;
  /** Null: that of template databases, which takes no right to use. */
  readonly tablespace: string | null;
}

/** A database, as the shared catalog tells. */
export interface DatabaseRow extends DatabaseLikeness {
  readonly oid: number;
  readonly name: string;
  readonly isTemplate: boolean;
  readonly allowsConnections: boolean;
  /** -1: no limit; -2: a drop was broken off, and nothing but dropping it again is possible. */
  readonly connectionLimit: number;
  readonly comment: string | null;
  /** Its privileges, as the text of an `aclitem[]`; where nobody said anything, those that databases have. */
  readonly acl: string;
  /** Those that a database of its owner has where nobody said anything. */
  readonly defaultAcl: string;
}

/** Columns differ by version (`daticulocale` became `datlocale`), so they are read through JSON. */
const rowSql = `
  select d.oid, d.datname as name, pg_get_userbyid(d.datdba) as owner, pg_encoding_to_char(d.encoding) as encoding,
    d.datcollate as collate, d.datctype as ctype,
    to_jsonb(d) ->> 'datlocprovider' as provider,
    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') as locale,
    to_jsonb(d) ->> 'daticurules' as "icuRules",
    case when d.dattablespace <> template.dattablespace then t.spcname end as tablespace,
    d.datistemplate as "isTemplate", d.datallowconn as "allowsConnections", d.datconnlimit as "connectionLimit",
    shobj_description(d.oid, 'pg_database') as comment,
    coalesce(d.datacl, acldefault('d', d.datdba))::text as acl, acldefault('d', d.datdba)::text as "defaultAcl"
  from pg_database d
  join pg_tablespace t on t.oid = d.dattablespace
  cross join (select dattablespace from pg_database where datname = 'template0') as template`;

/** The database of that name; null where there is none. */
export async function readDatabase(client: pg.Client, name: string): Promise<DatabaseRow | null> {
  const { rows } = await client.query<DatabaseRow>(`${rowSql} where d.datname = $1`, [name]);
  return rows[0] ?? null;
}

/** All databases of the server, by name. */
export async function readDatabases(client: pg.Client): Promise<DatabaseRow[]> {
  const { rows } = await client.query<DatabaseRow>(`${rowSql} order by d.datname`);
  return rows;
}

/**
 * Makes an empty database that nobody can connect to yet.
 *
 * @param like null: as the server makes them, owned by the user of the session
 */
export async function createDatabase(
  client: pg.Client,
  name: string,
  like: Partial<DatabaseLikeness> | null,
): Promise<void> {
  const options = like === null ? [] : likenessOptions(like);
  await alter(client, name, `create database ${quoteIdentifier(name)} template template0`, [
    'allow_connections false',
    ...options,
  ]);
}

function likenessOptions(like: Partial<DatabaseLikeness>): string[] {
  const { owner, encoding, collate, ctype, provider, locale, icuRules, tablespace } = like;
  const literal = (option: string, value: string | null | undefined) =>
    value === null || value === undefined ? [] : [`${option} ${quoteLiteral(value)}`];
  const providers = {
    c: ['locale_provider libc'],
    i: ['locale_provider icu', ...literal('icu_locale', locale), ...literal('icu_rules', icuRules)],
    b: ['locale_provider builtin', ...literal('builtin_locale', locale)],
  };
  return [
    ...(owner === undefined ? [] : [`owner ${quoteIdentifier(owner)}`]),
    ...literal('encoding', encoding),
    ...literal('lc_collate', collate),
    ...literal('lc_ctype', ctype),
    ...(provider ? providers[provider] : []),
    ...(tablespace ? [`tablespace ${quoteIdentifier(tablespace)}`] : []),
  ];
}

/** Drops a database, with whoever is connected; one that is not there is no error. */
export async function dropDatabase(client: pg.Client, name: string): Promise<void> {
  await alter(client, name, `drop database if exists ${quoteIdentifier(name)} with (force)`);
}

/** Renames a database that nobody is connected to; also within a transaction. */
export async function renameDatabase(client: pg.Client, name: string, to: string): Promise<void> {
  await alter(client, name, `alter database ${quoteIdentifier(name)} rename to ${quoteIdentifier(to)}`);
}

/** Lets sessions into a database, or refuses new ones, those of superusers too. */
export async function allowConnections(client: pg.Client, name: string, allowed: boolean): Promise<void> {
  await alter(client, name, `alter database ${quoteIdentifier(name)} allow_connections ${allowed}`);
}

/** Gives a database a comment, or takes it away. */
export async function commentOnDatabase(
  client: pg.Client,
  name: string,
  comment: string | null,
): Promise<void> {
  const text = comment === null ? 'null' : quoteLiteral(comment);
  await alter(client, name, `comment on database ${quoteIdentifier(name)} is ${text}`);
}

/** Keeps everybody out but its owner and superusers. */
export async function closeToPublic(client: pg.Client, name: string): Promise<void> {
  await alter(client, name, `revoke connect, temporary on database ${quoteIdentifier(name)} from public`);
}

/** Gives a database to a role. */
export async function changeDatabaseOwner(client: pg.Client, name: string, owner: string): Promise<void> {
  await alter(client, name, `alter database ${quoteIdentifier(name)} owner to ${quoteIdentifier(owner)}`);
}

/** Lets so many sessions of other users than superusers into a database; -1: any number. */
export async function limitConnections(client: pg.Client, name: string, limit: number): Promise<void> {
  await alter(client, name, `alter database ${quoteIdentifier(name)} connection limit ${limit}`);
}

/**
 * Does something with databases.
 *
 * @throws ThawError, as {@link administrationError} classifies what PostgreSQL answers
 */
export async function administer<Result>(object: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw administrationError(error, object);
  }
}

async function alter(
  client: pg.Client,
  object: string,
  sql: string,
  options: readonly string[] = [],
): Promise<void> {
  await administer(object, () => client.query([sql, ...options].join(' ')));
}

/**
 * As {@link databaseError}, for statements about whole databases: the right that lacks is another one there.
 *
 * @throws the error itself, where it is not PostgreSQL's
 */
function administrationError(error: unknown, object: string): ThawError {
  if (error instanceof pg.DatabaseError && error.code === sqlState.insufficientPrivilege) {
    return new ThawError('PermissionDenied', `${object}: ${error.message} (SQLSTATE ${error.code})`, {
      object,
      sqlstate: error.code,
      hint: 'Connect as the owner of the database with the right to make databases (alter role … createdb), or as a superuser.',
    });
  }
  return databaseError(error, { object });
}
