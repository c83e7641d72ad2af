/**
 * SQL functions for the steps around a merge: whose rows, triggers off and on, sequences, foreign keys that would
 * carry changes on.
 *
 * @param s the schema, quoted
 */
export function pitrTableSteps(s: string): string {
  return `
-- The condition, on rows of t, that they are of the tenant. A table without tenant_id is all of one tenant only
-- where its snapshot says so.
create or replace function ${s}.pitr_tenant_condition(p_table oid, p_tenant_id uuid, p_whole boolean) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_type text;
begin
  select format_type(atttypid, atttypmod) into v_type
  from pg_attribute
  where attrelid = p_table and attname = 'tenant_id' and attnum > 0 and not attisdropped;
  if v_type is not null then
    return format('t.tenant_id = %L::%s', p_tenant_id, v_type);
  end if;
  if p_whole then
    return 'true';
  end if;
  raise exception 'Table % has no column tenant_id, so its rows cannot be told from those of other tenants',
    p_table::regclass
    using hint = 'Where all of them belong to this tenant, name the table in "whole_tables" of the metadata of the snapshot.';
end;
$$;

-- Takes triggers off (p_states null) or puts them back; their states before, the table's own first.
create or replace function ${s}.pitr_set_triggers(p_table oid, p_states jsonb) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_states jsonb;
  v record;
begin
  select coalesce(p_states, jsonb_agg(
    jsonb_build_object('table', g.tgrelid::regclass::text, 'name', g.tgname, 'state', g.tgenabled)
    order by tree.level, g.tgrelid, g.tgname
  ), '[]') into v_states
  from (
    select p_table as oid, 0 as level
    union
    select relid::oid, level from pg_partition_tree(p_table::regclass)
  ) tree
  join pg_trigger g on g.tgrelid = tree.oid and not g.tgisinternal;
  for v in select value ->> 'table' as of, value ->> 'name' as name, value ->> 'state' as state
    from jsonb_array_elements(v_states)
  loop
    execute format(
      'alter table %s %s trigger %I', v.of,
      case
        when p_states is null or v.state = 'D' then 'disable'
        when v.state = 'A' then 'enable always'
        when v.state = 'R' then 'enable replica'
        else 'enable'
      end,
      v.name
    );
  end loop;
  return v_states;
end;
$$;

-- Moves the sequences of a table's columns up to the greatest value of their column.
create or replace function ${s}.pitr_move_sequences(p_table oid) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v record;
begin
  for v in
    select d.objid as sequence, a.attname as name
    from pg_depend d
    join pg_sequence q on q.seqrelid = d.objid and q.seqincrement > 0
    join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass
      and d.refobjid = p_table and d.deptype in ('a', 'i')
  loop
    execute format(
      'select setval(%L::regclass, m)
       from (select max(%I)::bigint as m from %s) as used, %s as q
       where m > q.last_value or m = q.last_value and not q.is_called',
      v.sequence, v.name, p_table::regclass, v.sequence::regclass
    );
  end loop;
end;
$$;

-- A foreign key that is still there would delete or change rows of other tables along with those of this one.
create or replace function ${s}.pitr_refuse_cascades(p_table oid, p_deletes boolean, p_updates boolean, p_key smallint[])
returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v record;
begin
  select conname, conrelid::regclass as child into v
  from pg_constraint
  where contype = 'f' and confrelid = p_table and (
    p_deletes and confdeltype in ('c', 'n', 'd')
    or p_updates and confupdtype in ('c', 'n', 'd') and not confkey <@ coalesce(p_key, '{}')
  )
  limit 1;
  if found then
    raise exception 'Foreign key % of table % would carry changes of table % on to its rows',
      v.conname, v.child, p_table::regclass
      using hint = 'Take it off beforehand with disable_table_fk_constraints.';
  end if;
end;
$$;
`.trim();
}
