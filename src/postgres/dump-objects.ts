import type pg from 'pg';

/** An object of a database, named as the list of contents of a dump names it. */
export interface DatabaseObject {
  /** Such as `TABLE`, `FK CONSTRAINT`, `FUNCTION`. */
  readonly kind: string;
  /** Null where its kind lies in no schema. */
  readonly schema: string | null;
  /** With the table before it where its kind belongs to one, and with the types of its arguments for functions. */
  readonly name: string;
}

/** What of a table, an index or the like: `kind` by letter of the catalog. */
const relationKinds = `case c.relkind
  when 'v' then 'VIEW' when 'm' then 'MATERIALIZED VIEW' when 'f' then 'FOREIGN TABLE' when 'S' then 'SEQUENCE'
  when 'i' then 'INDEX' when 'I' then 'INDEX' else 'TABLE' end`;

/** `format_type` qualifies with an empty search_path, as pg_dump has it. */
const signature = `p.proname || '(' || coalesce((
    select string_agg(format_type(a.type, null), ', ' order by a.place)
    from unnest(p.proargtypes) with ordinality as a (type, place)
  ), case when p.prokind = 'a' then '*' else '' end) || ')'`;

/** What lies in a schema of its own: kind, catalog, column of its schema, name. */
const inSchemas: readonly (readonly [string, string, string, string])[] = [
  [`case o.typtype when 'd' then 'DOMAIN' else 'TYPE' end`, 'pg_type', 'typnamespace', 'o.typname::text'],
  [`'COLLATION'`, 'pg_collation', 'collnamespace', 'o.collname::text'],
  [`'CONVERSION'`, 'pg_conversion', 'connamespace', 'o.conname::text'],
  [`'OPERATOR'`, 'pg_operator', 'oprnamespace', 'o.oprname::text'],
  [`'OPERATOR CLASS'`, 'pg_opclass', 'opcnamespace', 'o.opcname::text'],
  [`'OPERATOR FAMILY'`, 'pg_opfamily', 'opfnamespace', 'o.opfname::text'],
  [`'STATISTICS'`, 'pg_statistic_ext', 'stxnamespace', 'o.stxname::text'],
  [`'TEXT SEARCH PARSER'`, 'pg_ts_parser', 'prsnamespace', 'o.prsname::text'],
  [`'TEXT SEARCH TEMPLATE'`, 'pg_ts_template', 'tmplnamespace', 'o.tmplname::text'],
  [`'TEXT SEARCH DICTIONARY'`, 'pg_ts_dict', 'dictnamespace', 'o.dictname::text'],
  [`'TEXT SEARCH CONFIGURATION'`, 'pg_ts_config', 'cfgnamespace', 'o.cfgname::text'],
];

/** What lies in no schema: kind, catalog, name. */
const ofDatabase: readonly (readonly [string, string, string])[] = [
  ['SCHEMA', 'pg_namespace', 'o.nspname::text'],
  ['EXTENSION', 'pg_extension', 'o.extname::text'],
  ['ACCESS METHOD', 'pg_am', 'o.amname::text'],
  ['PROCEDURAL LANGUAGE', 'pg_language', 'o.lanname::text'],
  ['FOREIGN DATA WRAPPER', 'pg_foreign_data_wrapper', 'o.fdwname::text'],
  ['SERVER', 'pg_foreign_server', 'o.srvname::text'],
  ['USER MAPPING', 'pg_user_mappings', `'USER MAPPING ' || o.usename || ' SERVER ' || o.srvname`],
  ['EVENT TRIGGER', 'pg_event_trigger', 'o.evtname::text'],
  ['PUBLICATION', 'pg_publication', 'o.pubname::text'],
  ['BLOB', 'pg_largeobject_metadata', 'o.oid::text'],
  [
    'CAST',
    'pg_cast',
    `'CAST (' || format_type(o.castsource, null) || ' AS ' || format_type(o.casttarget, null) || ')'`,
  ],
];

/** What belongs to a table: kind, catalog `o` with its condition, column of the table's oid, name after the table's. */
const ofTables: readonly (readonly [string, string, string, string])[] = [
  [
    `case o.contype when 'f' then 'FK CONSTRAINT' when 'c' then 'CHECK CONSTRAINT' else 'CONSTRAINT' end`,
    'pg_constraint o on true',
    'conrelid',
    'o.conname',
  ],
  [
    `'DEFAULT'`,
    'pg_attrdef d join pg_attribute o on o.attrelid = d.adrelid and o.attnum = d.adnum on true',
    'attrelid',
    'o.attname',
  ],
  [`'TRIGGER'`, 'pg_trigger o on not o.tgisinternal', 'tgrelid', 'o.tgname'],
  [`'RULE'`, 'pg_rewrite o on true', 'ev_class', 'o.rulename'],
  [`'POLICY'`, 'pg_policy o on true', 'polrelid', 'o.polname'],
];

const inRelation = 'pg_class c join pg_namespace n on n.oid = c.relnamespace';

/** Since PostgreSQL 15. */
const publishedSchemas = `
  select 'PUBLICATION TABLES IN SCHEMA', n.nspname::text, p.pubname || ' ' || n.nspname
  from pg_publication_namespace o
  join pg_publication p on p.oid = o.pnpubid
  join pg_namespace n on n.oid = o.pnnspid`;

const objectsSql = [
  ...inSchemas.map(
    ([kind, catalog, schema, name]) => `
      select ${kind} as kind, n.nspname::text as schema, ${name} as name
      from ${catalog} o join pg_namespace n on n.oid = o.${schema}`,
  ),
  ...ofDatabase.map(([kind, catalog, name]) => `select '${kind}', null, ${name} from ${catalog} o`),
  ...ofTables.map(
    ([kind, catalog, table, name]) => `
      select ${kind}, n.nspname::text, c.relname || ' ' || ${name}
      from ${inRelation} join ${catalog} where o.${table} = c.oid`,
  ),
  `select ${relationKinds}, n.nspname::text, c.relname::text from ${inRelation} where c.relkind <> 't'`,
  `select case when c.relkind in ('i', 'I') then 'INDEX ATTACH' else 'TABLE ATTACH' end, n.nspname::text, c.relname::text
   from ${inRelation} where c.relispartition`,
  `select 'ROW SECURITY', n.nspname::text, c.relname::text from ${inRelation} where c.relrowsecurity`,
  `select 'SEQUENCE OWNED BY', n.nspname::text, c.relname::text
   from ${inRelation}
   where c.relkind = 'S' and exists (
     select 1 from pg_depend d
     where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_class'::regclass
       and d.deptype = 'a')`,
  `select case p.prokind when 'p' then 'PROCEDURE' when 'a' then 'AGGREGATE' else 'FUNCTION' end,
     n.nspname::text, ${signature}
   from pg_proc p join pg_namespace n on n.oid = p.pronamespace`,
  `select 'CHECK CONSTRAINT', n.nspname::text, t.typname || ' ' || o.conname
   from pg_constraint o join pg_type t on t.oid = o.contypid join pg_namespace n on n.oid = t.typnamespace`,
  `select 'PUBLICATION TABLE', n.nspname::text, p.pubname || ' ' || c.relname
   from ${inRelation} join pg_publication_rel o on o.prrelid = c.oid join pg_publication p on p.oid = o.prpubid`,
  `select 'SUBSCRIPTION', null, s.subname::text
   from pg_subscription s join pg_database d on d.oid = s.subdbid where d.datname = current_database()`,
];

/** The kinds that {@link listObjects} tells of. */
export const listedKinds: ReadonlySet<string> = new Set([
  ...['TABLE', 'VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE', 'SEQUENCE', 'INDEX', 'TYPE', 'DOMAIN'],
  ...['FUNCTION', 'PROCEDURE', 'AGGREGATE', 'CONSTRAINT', 'FK CONSTRAINT', 'CHECK CONSTRAINT', 'DEFAULT'],
  ...['TRIGGER', 'RULE', 'POLICY', 'ROW SECURITY', 'TABLE ATTACH', 'INDEX ATTACH', 'SEQUENCE OWNED BY'],
  ...['COLLATION', 'CONVERSION', 'OPERATOR', 'OPERATOR CLASS', 'OPERATOR FAMILY', 'STATISTICS'],
  ...['TEXT SEARCH PARSER', 'TEXT SEARCH TEMPLATE', 'TEXT SEARCH DICTIONARY', 'TEXT SEARCH CONFIGURATION'],
  ...['PUBLICATION TABLE', 'PUBLICATION TABLES IN SCHEMA', 'SUBSCRIPTION'],
  ...ofDatabase.map(([kind]) => kind),
]);

/**
 * Lists the objects of a database, of the server's own schemas and of extensions too, as `pg_restore --list` names
 * them: https://github.com/postgres/postgres/blob/master/src/bin/pg_dump/pg_dump.c, the tags of its entries.
 * Needs an open transaction.
 */
export async function listObjects(client: pg.Client): Promise<DatabaseObject[]> {
  await client.query(`set local search_path = ''`);
  const { rows: versions } = await client.query<{ number: number }>(
    `select current_setting('server_version_num')::integer as number`,
  );
  const parts = (versions[0]?.number ?? 0) >= 150_000 ? [...objectsSql, publishedSchemas] : objectsSql;
  const { rows } = await client.query<DatabaseObject>(
    `select * from (${parts.join(' union all ')}) as o (kind, schema, name)
     where o.schema is null or o.schema !~ '^pg_' and o.schema <> 'information_schema'`,
  );
  return rows;
}
