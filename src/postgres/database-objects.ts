import type pg from 'pg';

/** Something in a database that has an owner. */
export interface DatabaseObject {
  /** As `pg_identify_object` calls it: `table`, `function`. */
  readonly type: string;
  /** Name with schema and arguments, quoted where need be; with the type the same in another database. */
  readonly identity: string;
  readonly owner: string;
  /** Its privileges, as the text of an `aclitem[]`; null for kinds that have none. */
  readonly acl: string | null;
  /** What its owner's objects have where nobody says anything; null but for what is built in. */
  readonly defaultAcl: string | null;
  /** What stands behind `grant … on`; null for kinds without privileges. */
  readonly grantOn: string | null;
  /** The schema, quoted where need be; null where it is in none. */
  readonly schema: string | null;
  /** Its owner is that of something else: the sequence of a column. */
  readonly follows: boolean;
  /** Of an extension, which made it. */
  readonly ofExtension: boolean;
  /** Was there before anybody made anything. */
  readonly builtIn: boolean;
}

/**
 * Each kind of objects that have owners: catalog, columns, and what `acldefault` calls them where they have
 * privileges. Left out is what follows its table (indexes, row types), its element (arrays) or its range
 * (multiranges). Of built-in objects only those count whose privileges somebody changed, initdb for the most part.
 */
const kinds: readonly {
  readonly catalog: string;
  readonly owner: string;
  readonly acl?: { readonly column: string; readonly kind: string; readonly grantOn: string };
  readonly schema?: string;
  readonly only?: string;
}[] = [
  {
    catalog: 'pg_namespace',
    owner: 'nspowner',
    acl: { column: 'nspacl', kind: `'n'`, grantOn: `'schema'` },
    only: `not starts_with(o.nspname, 'pg_temp_') and not starts_with(o.nspname, 'pg_toast')`,
  },
  {
    catalog: 'pg_language',
    owner: 'lanowner',
    acl: { column: 'lanacl', kind: `'l'`, grantOn: `'language'` },
  },
  {
    catalog: 'pg_foreign_data_wrapper',
    owner: 'fdwowner',
    acl: { column: 'fdwacl', kind: `'F'`, grantOn: `'foreign data wrapper'` },
  },
  {
    catalog: 'pg_foreign_server',
    owner: 'srvowner',
    acl: { column: 'srvacl', kind: `'S'`, grantOn: `'foreign server'` },
  },
  {
    catalog: 'pg_type',
    owner: 'typowner',
    acl: { column: 'typacl', kind: `'T'`, grantOn: `'type'` },
    schema: 'typnamespace',
    only: `o.typtype <> 'm'
      and (o.typrelid = 0 or (select c.relkind = 'c' from pg_class c where c.oid = o.typrelid))
      and not exists (select from pg_type e where e.oid = o.typelem and e.typarray = o.oid)`,
  },
  {
    catalog: 'pg_proc',
    owner: 'proowner',
    acl: { column: 'proacl', kind: `'f'`, grantOn: `'routine'` },
    schema: 'pronamespace',
  },
  {
    catalog: 'pg_class',
    owner: 'relowner',
    acl: {
      column: 'relacl',
      kind: `case o.relkind when 'S' then 's'::"char" else 'r' end`,
      grantOn: `case o.relkind when 'S' then 'sequence' else 'table' end`,
    },
    schema: 'relnamespace',
    only: `o.relkind in ('r', 'p', 'v', 'm', 'f', 'S')`,
  },
  { catalog: 'pg_operator', owner: 'oprowner', schema: 'oprnamespace' },
  { catalog: 'pg_opfamily', owner: 'opfowner', schema: 'opfnamespace' },
  { catalog: 'pg_opclass', owner: 'opcowner', schema: 'opcnamespace' },
  { catalog: 'pg_collation', owner: 'collowner', schema: 'collnamespace' },
  { catalog: 'pg_conversion', owner: 'conowner', schema: 'connamespace' },
  { catalog: 'pg_ts_dict', owner: 'dictowner', schema: 'dictnamespace' },
  { catalog: 'pg_ts_config', owner: 'cfgowner', schema: 'cfgnamespace' },
  { catalog: 'pg_statistic_ext', owner: 'stxowner', schema: 'stxnamespace' },
  { catalog: 'pg_publication', owner: 'pubowner' },
  { catalog: 'pg_event_trigger', owner: 'evtowner' },
  { catalog: 'pg_extension', owner: 'extowner' },
  {
    catalog: 'pg_largeobject_metadata',
    owner: 'lomowner',
    acl: { column: 'lomacl', kind: `'L'`, grantOn: `'large object'` },
  },
];

/** Objects below this oid are built in: FirstNormalObjectId of PostgreSQL's source. */
const firstNormalOid = 16_384;

const objectsSql = kinds
  .map(({ catalog, owner, acl, schema, only }, at) => {
    // The oids of large objects are chosen by who makes them.
    const builtIn = catalog === 'pg_largeobject_metadata' ? 'false' : `o.oid < ${firstNormalOid}`;
    const column = acl === undefined ? 'null::aclitem[]' : `o.${acl.column}`;
    return `
  select ${at} as place, o.oid, i.type, pg_get_userbyid(o.${owner}) as owner,
    -- that of a type is its name in SQL, such as integer, which grant does not take
    ${catalog === 'pg_type' ? `format('%s.%s', i.schema, i.name)` : 'i.identity'} as identity,
    ${acl === undefined ? 'null' : `coalesce(o.${acl.column}, acldefault(${acl.kind}, o.${owner}))::text`} as acl,
    ${acl === undefined ? 'null' : `case when ${builtIn} then acldefault(${acl.kind}, o.${owner})::text end`} as "defaultAcl",
    ${acl === undefined ? 'null' : acl.grantOn} as "grantOn",
    i.schema,
    ${catalog === 'pg_class' ? `o.relkind = 'S' and ${dependsSql(catalog, `d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')`)}` : 'false'} as follows,
    ${dependsSql(catalog, `d.deptype = 'e'`)} as "ofExtension",
    ${builtIn} as "builtIn"
  from ${catalog} o
  cross join lateral pg_identify_object('${catalog === 'pg_largeobject_metadata' ? 'pg_largeobject' : catalog}'::regclass, o.oid, 0) as i
  where (not ${builtIn} or ${catalog === 'pg_namespace' ? `o.nspname = 'public' or` : ''} ${column} is not null)
    ${only === undefined ? '' : `and ${only}`}
    ${schema === undefined ? '' : `and not exists (select from pg_namespace n where n.oid = o.${schema} and starts_with(n.nspname, 'pg_temp_'))`}`;
  })
  .join('\n  union all');

function dependsSql(catalog: string, condition: string): string {
  return `exists (
      select from pg_depend d
      where d.classid = '${catalog}'::regclass and d.objid = o.oid and d.objsubid = 0 and ${condition})`;
}

/**
 * Reads everything in the database of the session that has an owner; schemas come before what is in them.
 * With an empty `search_path`, so that identities have their schemas.
 */
export async function readObjects(client: pg.Client): Promise<DatabaseObject[]> {
  const { rows } = await client.query<DatabaseObject & { place: number; oid: number }>(
    `select * from (${objectsSql}) as object order by place, oid`,
  );
  return rows.map(({ place: _, oid: __, ...object }) => ({
    ...object,
    grantOn: object.grantOn === null ? null : `${object.grantOn} ${object.identity}`,
  }));
}

/** By what an object is the same in two databases. */
export function objectKey({ type, identity }: Pick<DatabaseObject, 'type' | 'identity'>): string {
  return `${type} ${identity}`;
}

/** Who owns the database of the session, and who is in it. */
export async function readOwners(client: pg.Client): Promise<{ database: string; user: string }> {
  const { rows } = await client.query<{ database: string; user: string }>(
    `select pg_get_userbyid(datdba) as database, session_user as user
     from pg_database where datname = current_database()`,
  );
  const [owners] = rows;
  if (owners === undefined) throw new TypeError('A session is in no database.');
  return owners;
}

/** Privileges on one column. */
interface ColumnAcl {
  /** Identity of its table, as {@link DatabaseObject} has it. */
  readonly table: string;
  readonly column: string;
  /** The text of an `aclitem[]`. */
  readonly acl: string;
}

/** The columns with privileges of their own. */
async function readColumnAcls(client: pg.Client): Promise<ColumnAcl[]> {
  const { rows } = await client.query<ColumnAcl>(
    `select i.identity as table, a.attname as column, a.attacl::text as acl
     from pg_attribute a
     cross join lateral pg_identify_object('pg_class'::regclass, a.attrelid, 0) as i
     where a.attacl is not null and not a.attisdropped
     order by a.attrelid, a.attnum`,
  );
  return rows;
}

/** What `alter default privileges` says for what a role makes. */
export interface DefaultAcl {
  readonly role: string;
  /** Quoted where need be; null: in every schema. */
  readonly schema: string | null;
  /** As `alter default privileges … grant … on` calls them: `tables`. */
  readonly objects: string;
  readonly acl: string;
  /** The same where nobody says anything. */
  readonly base: string;
}

async function readDefaultAcls(client: pg.Client): Promise<DefaultAcl[]> {
  const { rows } = await client.query<DefaultAcl>(
    `select pg_get_userbyid(a.defaclrole) as role, quote_ident(n.nspname) as schema,
       case a.defaclobjtype
         when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'routines' when 'T' then 'types'
         when 'n' then 'schemas' when 'L' then 'large objects'
       end as objects,
       a.defaclacl::text as acl,
       case when a.defaclnamespace = 0
         then acldefault(case a.defaclobjtype when 'S' then 's'::"char" else a.defaclobjtype end, a.defaclrole)::text
         else '{}' end as base
     from pg_default_acl a
     left join pg_namespace n on n.oid = a.defaclnamespace
     order by 1, 2, 3`,
  );
  return rows;
}

/** Security labels in the database of the session: `table public.t, by selinux`. */
async function readLabels(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ label: string }>(
    `select format('%s %s, by %s', objtype, objname, provider) as label
     from pg_seclabels
     -- of what the server has, that of this database alone concerns it
     where classoid not in ('pg_database'::regclass, 'pg_authid'::regclass, 'pg_tablespace'::regclass)
       or objoid = (select oid from pg_database where datname = current_database())
     order by 1`,
  );
  return rows.map(({ label }) => label);
}

/** Everything in a database that is carried over to the one that takes its place. */
export interface DatabaseContent {
  readonly objects: readonly DatabaseObject[];
  readonly columns: readonly ColumnAcl[];
  readonly defaults: readonly DefaultAcl[];
  readonly labels: readonly string[];
}

/** Reads it; with an empty `search_path`, as {@link readObjects} needs it. */
export async function readContent(client: pg.Client): Promise<DatabaseContent> {
  return {
    objects: await readObjects(client),
    columns: await readColumnAcls(client),
    defaults: await readDefaultAcls(client),
    labels: await readLabels(client),
  };
}

/** What a role lacks to be given something, for who is not a superuser: the statements that grant it. */
export async function grantsToOwn(
  client: pg.Client,
  takers: readonly { readonly role: string; readonly schema: string | null }[],
): Promise<string[]> {
  const { rows } = await client.query<{ sql: string }>(
    `select distinct case
         when schema is null then format('grant create on database %I to %I', current_database(), role)
         else format('grant create on schema %s to %I', schema, role)
       end as sql
     from jsonb_to_recordset($1) as taker (role text, schema text)
     where not (select rolsuper from pg_roles where rolname = current_user)
       and case
         when schema is null then not has_database_privilege(role, current_database(), 'create')
         else not has_schema_privilege(role, to_regnamespace(schema), 'create')
       end`,
    [JSON.stringify(takers)],
  );
  return rows.map(({ sql }) => sql);
}

/** Identities of the functions that PostgreSQL makes with a range type, and drops with it. */
export async function functionsOfTypes(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ identity: string }>(`
    select i.identity
    from pg_depend d cross join lateral pg_identify_object(d.classid, d.objid, 0) as i
    where d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_type'::regclass and d.deptype = 'i'`);
  return rows.map(({ identity }) => identity);
}
