import { quoteIdentifier as q } from '../../src/postgres/identifier.ts';

/** Roles of the zoo. */
export interface ZooRoles {
  readonly owner: string;
  readonly app: string;
  readonly reader: string;
  readonly lead: string;
}

/** An object of every kind that has an owner or privileges, as a dump without owners and privileges makes them. */
export const zooObjects = `
  create schema "Sch ""ema";
  create schema plain;
  create table plain.orders (id serial primary key, total numeric, "see ""me" text);
  create table plain.days (day date, n int) partition by range (day);
  create table plain.days_1 partition of plain.days for values from ('2026-01-01') to ('2026-02-01');
  create table "Sch ""ema"."T é" (id int generated always as identity, v int);
  create view plain.totals as select sum(total) from plain.orders;
  create materialized view plain.kept as select 1 as one;
  create sequence plain.numbers;
  create type plain.color as enum ('red', 'green');
  create type plain.pair as (a int, b int);
  create type plain.span as range (subtype = int4);
  create domain plain.positive as int check (value > 0);
  create function plain.twice(n int, text[] default '{}') returns int language sql as 'select n * 2';
  create function plain.twice(n plain.color) returns int language sql as 'select 2';
  create procedure plain.act(inout n int) language sql as 'select n';
  create aggregate plain.total(int) (sfunc = int4pl, stype = int);
  create function plain.same(plain.pair, plain.pair) returns boolean immutable language sql as 'select true';
  create function plain.hashed(plain.pair) returns int immutable language sql as 'select 1';
  create operator plain.=== (leftarg = plain.pair, rightarg = plain.pair, function = plain.same);
  create operator family plain.fam using btree;
  create operator class plain.cls for type plain.pair using hash as operator 1 plain.===, function 1 plain.hashed(plain.pair);
  create collation plain.german from "C";
  create conversion plain.conv for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
  create text search dictionary plain.dict (template = simple);
  create text search configuration plain.conf (parser = default);
  create statistics plain.stats on id, total from plain.orders;
  create foreign data wrapper "fd w";
  create server "ser ver" foreign data wrapper "fd w";
  create foreign table plain.far (a int) server "ser ver";
  create publication "pub" for table plain.orders;
  create extension citext schema plain;
  select lo_create(4711), lo_create(4712);`;

/** What no dump without owners and privileges holds. */
export function zooRights({ owner, app, reader, lead }: ZooRoles): string {
  const [o, a, r, l] = [q(owner), q(app), q(reader), q(lead)];
  return `
  alter schema plain owner to ${a};
  alter schema "Sch ""ema" owner to ${o};
  alter table plain.orders owner to ${a};
  alter table plain.days owner to ${a};
  alter table plain.days_1 owner to ${l};
  alter view plain.totals owner to ${r};
  alter materialized view plain.kept owner to ${a};
  alter sequence plain.numbers owner to ${a};
  alter type plain.color owner to ${a};
  alter type plain.pair owner to ${a};
  alter type plain.span owner to ${a};
  alter domain plain.positive owner to ${l};
  alter function plain.twice(int, text[]) owner to ${a};
  alter procedure plain.act(int) owner to ${a};
  alter aggregate plain.total(int) owner to ${a};
  alter operator plain.=== (plain.pair, plain.pair) owner to ${a};
  alter operator family plain.fam using btree owner to ${a};
  alter operator class plain.cls using hash owner to ${a};
  alter collation plain.german owner to ${a};
  alter conversion plain.conv owner to ${a};
  alter text search dictionary plain.dict owner to ${a};
  alter text search configuration plain.conf owner to ${a};
  alter statistics plain.stats owner to ${a};
  alter server "ser ver" owner to ${a};
  alter foreign table plain.far owner to ${a};
  alter publication "pub" owner to ${a};
  alter large object 4711 owner to ${a};

  grant usage on schema plain to ${r}, ${l} with grant option;
  grant all on schema "Sch ""ema" to ${a};
  revoke usage on schema public from public;
  grant create on schema public to ${l};
  grant select on plain.orders to ${r};
  grant select, insert, update on plain.orders to ${l} with grant option;
  set role ${l}; grant select, insert on plain.orders to ${r}; grant usage on schema plain to ${o}; set role none;
  revoke delete, truncate on plain.orders from ${a};
  grant update (total, "see ""me"), select (id) on plain.orders to ${o};
  grant references (total) on plain.orders to ${l} with grant option;
  grant select on all tables in schema "Sch ""ema" to public;
  grant usage on sequence plain.orders_id_seq, plain.numbers to ${r};
  grant usage on type plain.color to ${r};
  revoke usage on type plain.positive from public;
  revoke execute on function plain.twice(int, text[]) from public;
  grant execute on function plain.twice(int, text[]) to ${r};
  revoke execute on procedure plain.act(int) from public;
  grant execute on function plain.total(int) to ${l} with grant option;
  grant usage on language plpgsql to ${r};
  revoke usage on language plpgsql from public;
  grant usage on foreign data wrapper "fd w" to ${r};
  grant usage on foreign server "ser ver" to ${r} with grant option;
  grant select, update on large object 4711 to ${r};
  grant execute on function pg_catalog.pg_read_file(text) to ${l};
  revoke execute on function pg_catalog.pg_sleep(float8) from public;

  alter default privileges for role ${a} grant select on tables to ${r};
  alter default privileges for role ${a} in schema plain grant insert on tables to ${l} with grant option;
  alter default privileges for role ${a} in schema "Sch ""ema" grant usage on sequences to ${r};
  alter default privileges for role ${l} revoke execute on functions from public;
  alter default privileges for role ${l} revoke usage on types from public;
  alter default privileges for role ${l} grant create on schemas to ${r};`;
}

/** Every owner and every privilege in a database, by who granted it, written against the catalogs anew. */
export const rightsSql = `
  with item as (
    select i.type || ' ' || i.identity as thing, o.owner, o.acl
    from (
      select 'pg_class'::regclass as cls, oid, relowner as owner,
        coalesce(relacl, acldefault(case relkind when 'S' then 's'::"char" else 'r' end, relowner)) as acl
      from pg_class where relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'i')
      union all select 'pg_proc'::regclass, oid, proowner, coalesce(proacl, acldefault('f', proowner)) from pg_proc
      union all select 'pg_type'::regclass, oid, typowner, coalesce(typacl, acldefault('T', typowner)) from pg_type
      union all select 'pg_namespace'::regclass, oid, nspowner, coalesce(nspacl, acldefault('n', nspowner)) from pg_namespace
        where nspname !~ '^pg_(temp|toast)'
      union all select 'pg_language'::regclass, oid, lanowner, coalesce(lanacl, acldefault('l', lanowner)) from pg_language
      union all select 'pg_foreign_data_wrapper'::regclass, oid, fdwowner, coalesce(fdwacl, acldefault('F', fdwowner)) from pg_foreign_data_wrapper
      union all select 'pg_foreign_server'::regclass, oid, srvowner, coalesce(srvacl, acldefault('S', srvowner)) from pg_foreign_server
      union all select 'pg_largeobject'::regclass, oid, lomowner, coalesce(lomacl, acldefault('L', lomowner)) from pg_largeobject_metadata
      union all select 'pg_operator'::regclass, oid, oprowner, null from pg_operator
      union all select 'pg_opfamily'::regclass, oid, opfowner, null from pg_opfamily
      union all select 'pg_opclass'::regclass, oid, opcowner, null from pg_opclass
      union all select 'pg_collation'::regclass, oid, collowner, null from pg_collation
      union all select 'pg_conversion'::regclass, oid, conowner, null from pg_conversion
      union all select 'pg_ts_dict'::regclass, oid, dictowner, null from pg_ts_dict
      union all select 'pg_ts_config'::regclass, oid, cfgowner, null from pg_ts_config
      union all select 'pg_statistic_ext'::regclass, oid, stxowner, null from pg_statistic_ext
      union all select 'pg_publication'::regclass, oid, pubowner, null from pg_publication
    ) as o cross join lateral pg_identify_object(o.cls, o.oid, 0) as i
    where i.schema is distinct from 'pg_toast'
    union all
    select 'column ' || a.attrelid::regclass || '.' || a.attname, 0, a.attacl from pg_attribute a where a.attacl is not null
    union all
    select concat_ws(' ', 'default', defaclrole::regrole, nullif(defaclnamespace, 0)::regnamespace, defaclobjtype), 0, defaclacl
    from pg_default_acl
  )
  select thing || ' of ' || case when owner <> 0 then owner::regrole::text else '' end || ': ' || coalesce((
    select string_agg(concat_ws(' ', privilege_type, 'to', case when grantee <> 0 then grantee::regrole::text else 'public' end,
      'by', grantor::regrole, case when is_grantable then 'grantable' end), ', '
      order by privilege_type, grantee, grantor)
    from aclexplode(acl)), 'nothing') as line
  from item order by 1`;
