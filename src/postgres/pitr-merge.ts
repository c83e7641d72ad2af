import { pitrTextSettings } from './pitr-text-settings.ts';

/**
 * SQL function that makes a tenant's part of a table what a snapshot holds. Only rows that differ are touched, and
 * at the end the part is compared with the snapshot, both ways.
 *
 * @param s the schema, quoted
 */
export function pitrMergeFunction(s: string): string {
  return `
-- Makes the part of a table what the rows of a snapshot are: {rows, inserted, updated, deleted}.
create or replace function ${s}.pitr_apply_rows(p_table oid, p_tenant_id uuid, p_whole boolean, p_rows jsonb)
returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp set client_min_messages = warning
${pitrTextSettings} as $$
declare
  v_name text;
  v_mine text := ${s}.pitr_tenant_condition(p_table, p_tenant_id, p_whole);
  v_given text[];
  v_lost text[];
  v_gained text[];
  v_columns text[];
  v_changing text[];
  v_key smallint[];
  v_match text;
  v_same text;
  v_differ text;
  v_triggers jsonb;
  v_count bigint;
  v_differing bigint;
  v_rows bigint;
  v_inserted bigint := 0;
  v_updated bigint := 0;
  v_deleted bigint := 0;
  v_replaced bigint := 0;
begin
  select format('%I.%I', n.nspname, c.relname) into strict v_name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = p_table;
  if exists (select from jsonb_array_elements(p_rows) where jsonb_typeof(value) <> 'object') then
    raise exception 'Snapshot of table % holds something that is not a row', v_name;
  end if;
  v_given := array(select distinct k from jsonb_array_elements(p_rows) r, jsonb_object_keys(r) k order by 1);
  if exists (select from jsonb_array_elements(p_rows) r where not r ?& v_given) then
    raise exception 'Snapshot of table % holds rows of different columns', v_name;
  end if;
  v_lost := array(
    select k from unnest(v_given) k
    where not exists (select from pg_attribute where attrelid = p_table and attname = k and attnum > 0 and not attisdropped)
  );
  if v_lost <> '{}' then
    raise exception 'Table % lacks columns of the snapshot: %', v_name, array_to_string(v_lost, ', ');
  end if;
  -- A column that came later keeps its values, and has its default in rows that come back.
  select array_agg(attname order by attnum) filter (where given),
    coalesce(array_agg(attname order by attnum) filter (where not given), '{}')
  into v_columns, v_gained
  from (
    select attname, attnum, attname = any (v_given) or v_given = '{}' as given
    from pg_attribute
    where attrelid = p_table and attnum > 0 and not attisdropped and attgenerated = ''
  ) as live;
  if v_columns is null then
    raise exception 'Snapshot of table % holds none of its columns', v_name;
  end if;

  execute format('lock table %s in share row exclusive mode', v_name);
  drop table if exists pg_temp.thaw_pitr_stage;
  execute format(
    'create temporary table thaw_pitr_stage on commit drop as select %s from %s where false',
    (select string_agg(quote_ident(c), ', ') from unnest(v_columns) c), v_name
  );
  execute format(
    'insert into pg_temp.thaw_pitr_stage select %s from jsonb_populate_recordset(null::%s, $1)',
    (select string_agg(quote_ident(c), ', ') from unnest(v_columns) c), v_name
  ) using p_rows;
  get diagnostics v_rows = row_count;
  if v_mine <> 'true' then
    if v_rows > 0 and not 'tenant_id' = any (v_columns) then
      raise exception 'Snapshot of table % does not tell the tenant of its rows', v_name;
    end if;
    execute format('select count(*) from pg_temp.thaw_pitr_stage t where (%s) is not true', v_mine) into v_count;
    if v_count > 0 then
      raise exception 'Snapshot of table % holds % rows of another tenant', v_name, v_count;
    end if;
  end if;

  -- As text, since not every type has an equality, and 1.0 is not 1.00.
  select format(
    '(select to_jsonb(x)::text from (select %s) x) = (select to_jsonb(x)::text from (select %s) x)',
    string_agg(format('t.%I', c), ', '), string_agg(format('s.%I', c), ', ')
  ) into v_same from unnest(v_columns) c;
  v_differ := format(
    'with live as (select (select to_jsonb(x)::text from (select %1$s) x) from %2$s t where %3$s),
       kept as (select (select to_jsonb(x)::text from (select %1$s) x) from pg_temp.thaw_pitr_stage t)
     select (select count(*) from (select * from live except all select * from kept) a)
       + (select count(*) from (select * from kept except all select * from live) b)',
    (select string_agg(format('t.%I', c), ', ') from unnest(v_columns) c), v_name, v_mine
  );
  execute v_differ into v_differing;
  if v_differing = 0 then
    perform ${s}.pitr_move_sequences(p_table);
    return jsonb_build_object('rows', v_rows, 'inserted', 0, 'updated', 0, 'deleted', 0);
  end if;

  v_triggers := ${s}.pitr_set_triggers(p_table, null);
  select key into v_key
  from (
    select i.indexrelid, i.indisprimary, array(select unnest(i.indkey[0:i.indnkeyatts - 1])) as key
    from pg_index i
    where i.indrelid = p_table and i.indisunique and i.indisvalid and i.indimmediate
      and i.indpred is null and i.indexprs is null
  ) as u
  where (
    select bool_and(a.attnotnull and a.attname = any (v_columns))
    from pg_attribute a where a.attrelid = p_table and a.attnum = any (u.key)
  )
  order by indisprimary desc, indexrelid
  limit 1;

  if v_key is null then
    perform ${s}.pitr_refuse_cascades(p_table, true, false, null);
    execute format('delete from %s t where %s', v_name, v_mine);
    get diagnostics v_deleted = row_count;
    v_match := 'false';
  else
    select string_agg(format('s.%1$I = t.%1$I', attname), ' and ') into v_match
    from pg_attribute where attrelid = p_table and attnum = any (v_key);
    execute format(
      'select count(*) from %s t where %s and not exists (select from pg_temp.thaw_pitr_stage s where %s)',
      v_name, v_mine, v_match
    ) into v_count;
    perform ${s}.pitr_refuse_cascades(p_table, v_count > 0, true, v_key);
    execute format(
      'delete from %s t where %s and not exists (select from pg_temp.thaw_pitr_stage s where %s)',
      v_name, v_mine, v_match
    );
    get diagnostics v_deleted = row_count;

    select array_agg(attname order by attnum) into v_changing
    from pg_attribute
    where attrelid = p_table and attname = any (v_columns) and not attnum = any (v_key) and attidentity <> 'a';
    if v_changing is not null then
      begin
        execute format(
          'update %s t set %s from pg_temp.thaw_pitr_stage s where %s and %s and not (%s)',
          v_name, (select string_agg(format('%1$I = s.%1$I', c), ', ') from unnest(v_changing) c),
          v_match, v_mine, v_same
        );
        get diagnostics v_updated = row_count;
      exception when unique_violation or exclusion_violation then
        -- Two rows that swap a unique value: neither can be changed before the other.
        v_updated := 0;
      end;
    end if;
    execute format(
      'select count(*) from %s t join pg_temp.thaw_pitr_stage s on %s where %s and not (%s)',
      v_name, v_match, v_mine, v_same
    ) into v_replaced;
    if v_replaced > 0 then
      if v_gained <> '{}' then
        raise exception 'Rows of table % cannot be changed one by one, and the snapshot lacks its columns: %',
          v_name, array_to_string(v_gained, ', ');
      end if;
      perform ${s}.pitr_refuse_cascades(p_table, true, true, null);
      execute format(
        'delete from %s t using pg_temp.thaw_pitr_stage s where %s and %s and not (%s)',
        v_name, v_match, v_mine, v_same
      );
    end if;
  end if;
  execute format(
    'insert into %s (%s) overriding system value select %s from pg_temp.thaw_pitr_stage s
     where not exists (select from %s t where %s and %s)',
    v_name, (select string_agg(quote_ident(c), ', ') from unnest(v_columns) c),
    (select string_agg(format('s.%I', c), ', ') from unnest(v_columns) c), v_name, v_match, v_mine
  );
  get diagnostics v_inserted = row_count;
  if v_triggers <> '[]' then
    -- A table with checks that are still to be made is not altered.
    set constraints all immediate;
    perform ${s}.pitr_set_triggers(p_table, v_triggers);
  end if;

  execute v_differ into v_differing;
  if v_differing > 0 then
    raise exception 'Table % does not hold what the snapshot holds: % rows differ', v_name, v_differing
      using hint = 'A rule or a row-level security policy changed or hid rows.';
  end if;
  perform ${s}.pitr_move_sequences(p_table);
  drop table pg_temp.thaw_pitr_stage;
  return jsonb_build_object(
    'rows', v_rows, 'inserted', v_inserted - v_replaced, 'updated', v_updated + v_replaced, 'deleted', v_deleted
  );
end;
$$;
`.trim();
}
