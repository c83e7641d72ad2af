import { quoteLiteral } from './identifier.ts';

/**
 * SQL functions that find tables by name, order them by their foreign keys, and take foreign keys off and put them
 * back. Constraints are found by table, never by name alone: one name may be that of constraints of many tables.
 *
 * @param s the schema, quoted
 * @param schema the same, not quoted
 */
export function pitrForeignKeyFunctions(s: string, schema: string): string {
  return `
-- A table by its name as snapshots write it: plain, of schema ${JSON.stringify(schema)} or else public; or with its schema.
create or replace function ${s}.pitr_table_oid(p_table_name text) returns oid
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_oid oid;
begin
  select c.oid into v_oid
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p')
    and (
      c.relname = p_table_name and n.nspname in (${quoteLiteral(schema)}, 'public')
      or n.nspname = split_part(p_table_name, '.', 1)
        and c.relname = substr(p_table_name, strpos(p_table_name, '.') + 1)
        and strpos(p_table_name, '.') > 0
    )
  order by c.relname <> p_table_name, n.nspname <> ${quoteLiteral(schema)}
  limit 1;
  if v_oid is null then
    raise exception 'Table not found: %', p_table_name using errcode = 'undefined_table';
  end if;
  -- They would be overwritten by what they hold.
  if v_oid in (
    ${quoteLiteral(`${s}.backup_pitr_snapshots`)}::regclass, ${quoteLiteral(`${s}.backup_pitr_rollback_history`)}::regclass,
    ${quoteLiteral(`${s}.backup_fk_constraints_cache`)}::regclass, ${quoteLiteral(`${s}.backup_transaction_logs`)}::regclass
  ) then
    raise exception 'Table % holds the records of snapshots, and is no part of one', p_table_name
      using errcode = 'wrong_object_type';
  end if;
  return v_oid;
end;
$$;

-- Parents before children, in the order given otherwise. Tables that refer to each other in a circle stand together.
create or replace function ${s}.get_table_restoration_order(p_tables text[]) returns text[]
language sql stable set search_path = pg_catalog, pg_temp as $$
  with recursive named as (
    select ${s}.pitr_table_oid(name) as oid, name, position
    from unnest(p_tables) with ordinality as given (name, position)
  ), chosen as (
    select distinct on (oid) oid, name, position from named order by oid, position
  ), edges as (
    select distinct f.confrelid as parent, f.conrelid as child
    from pg_constraint f
    where f.contype = 'f' and f.confrelid <> f.conrelid
      and f.confrelid in (select oid from chosen) and f.conrelid in (select oid from chosen)
  ), reach as (
    select parent as upper, child as lower from edges
    union
    select r.upper, e.child from reach r join edges e on e.parent = r.lower
  ), circles as (
    select down.upper as oid, min(c.position) as position
    from reach down
    join reach up on up.upper = down.lower and up.lower = down.upper
    join chosen c on c.oid = down.lower
    group by down.upper
  ), ranked as (
    select
      c.name, c.position, least(c.position, circle.position) as circle,
      -- An ancestor has fewer ancestors than its descendants, and those of one circle have as many.
      (
        select count(*) from reach r
        where r.lower = c.oid
          and not exists (select from reach back where back.upper = c.oid and back.lower = r.upper)
      ) as ancestors
    from chosen c left join circles circle using (oid)
  )
  select coalesce(array_agg(name order by ancestors, circle, position), '{}') from ranked
$$;

-- Takes one foreign key off, after it is written down as it is: definition, validity, deferrability, comment.
create or replace function ${s}.pitr_take_off(p_constraint oid, p_rollback_id uuid, p_tenant_id uuid) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v record;
begin
  select n.nspname, t.relname, c.conname, pg_get_constraintdef(c.oid) as definition,
    obj_description(c.oid, 'pg_constraint') as comment
  into strict v
  from pg_constraint c join pg_class t on t.oid = c.conrelid join pg_namespace n on n.oid = t.relnamespace
  where c.oid = p_constraint;
  insert into ${s}.backup_fk_constraints_cache as cache (
    table_schema, table_name, constraint_name, constraint_definition, constraint_comment,
    is_disabled, disabled_at, rollback_id, tenant_id
  )
  values (v.nspname, v.relname, v.conname, v.definition, v.comment, true, now(), p_rollback_id, p_tenant_id)
  on conflict (table_schema, table_name, constraint_name, rollback_id) do update
  set constraint_definition = excluded.constraint_definition, constraint_comment = excluded.constraint_comment,
    is_disabled = true, disabled_at = excluded.disabled_at, re_enabled_at = null;
  execute format('alter table %I.%I drop constraint %I', v.nspname, v.relname, v.conname);
end;
$$;

-- Takes the foreign keys of a table off; how many these are.
create or replace function ${s}.disable_table_fk_constraints(p_table_name text, p_rollback_id uuid, p_tenant_id uuid)
returns integer
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_table oid := ${s}.pitr_table_oid(p_table_name);
  v_constraint oid;
  v_count integer := 0;
begin
  for v_constraint in
    select oid from pg_constraint
    where conrelid = v_table and contype = 'f' and conparentid = 0
    order by conname
  loop
    perform ${s}.pitr_take_off(v_constraint, p_rollback_id, p_tenant_id);
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;

-- Puts the foreign keys of a table that a rollback took off back, as they were; how many these are.
create or replace function ${s}.re_enable_table_fk_constraints(p_table_name text, p_rollback_id uuid) returns integer
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_table oid := ${s}.pitr_table_oid(p_table_name);
  v record;
  v_count integer := 0;
begin
  for v in
    select cache.*
    from ${s}.backup_fk_constraints_cache cache
    join pg_class t on t.oid = v_table and t.relname = cache.table_name
    join pg_namespace n on n.oid = t.relnamespace and n.nspname = cache.table_schema
    where cache.rollback_id is not distinct from p_rollback_id and cache.is_disabled
    order by cache.constraint_name
  loop
    execute format(
      'alter table %I.%I add constraint %I %s',
      v.table_schema, v.table_name, v.constraint_name, v.constraint_definition
    );
    if v.constraint_comment is not null then
      execute format(
        'comment on constraint %I on %I.%I is %L',
        v.constraint_name, v.table_schema, v.table_name, v.constraint_comment
      );
    end if;
    update ${s}.backup_fk_constraints_cache set is_disabled = false, re_enabled_at = now() where id = v.id;
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;
`.trim();
}
