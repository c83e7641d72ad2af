import { refuseUnusable } from './pitr-rollback.ts';

/**
 * SQL functions that bring a snapshot forward to a time by the log of changes.
 *
 * @param s the schema, quoted
 */
export function pitrReplayFunctions(s: string): string {
  return `
-- What tells a row of a table from the others, as text.
create or replace function ${s}.pitr_row_key(p_row jsonb, p_key text[]) returns text[]
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select array_agg(p_row ->> name order by position) from unnest(p_key) with ordinality as key (name, position)
$$;

-- The rows of one table of a snapshot at a later time. Changes of one moment are taken in the order of the log.
create or replace function ${s}.pitr_rows_at(
  p_table_name text, p_rows jsonb, p_tenant_id uuid, p_after timestamptz, p_until timestamptz
) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_table oid := ${s}.pitr_table_oid(p_table_name);
  v_key text[];
  v_log uuid;
  v_rows jsonb;
begin
  select array_agg(a.attname order by array_position(i.indkey::smallint[], a.attnum)) into v_key
  from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
  where i.indrelid = v_table and i.indisprimary;
  if v_key is null then
    raise exception 'Table % has no primary key, so changes of its rows cannot be replayed', p_table_name;
  end if;
  with changes as (
    select id, changed_at, log_sequence, 0 as part, null::jsonb as content,
      -- An older log tells the row by its id alone.
      case when old_data is null or old_data = 'null' then case when cardinality(v_key) = 1 then array[record_id] end
        else ${s}.pitr_row_key(old_data, v_key) end as key
    from ${s}.backup_transaction_logs
    where tenant_id = p_tenant_id and table_name = p_table_name and operation in ('UPDATE', 'DELETE')
      and changed_at > p_after and changed_at <= p_until
    union all
    select id, changed_at, log_sequence, 1, new_data, ${s}.pitr_row_key(new_data, v_key)
    from ${s}.backup_transaction_logs
    where tenant_id = p_tenant_id and table_name = p_table_name and operation in ('INSERT', 'UPDATE')
      and changed_at > p_after and changed_at <= p_until
  ), unclear as (
    select id from changes where key is null or array_position(key, null) is not null limit 1
  ), last as (
    select distinct on (key) content
    from (
      select key, changed_at, log_sequence, part, content from changes
      union all
      select ${s}.pitr_row_key(value, v_key), '-infinity', 0, 0, value from jsonb_array_elements(p_rows)
    ) as all_of_it
    order by key, changed_at desc, log_sequence desc, part desc
  )
  select (select id from unclear), (select coalesce(jsonb_agg(content), '[]') from last where content is not null)
  into v_log, v_rows;
  if v_log is not null then
    raise exception 'Change % of table % does not tell which row it changed', v_log, p_table_name
      using hint = 'old_data and new_data are to hold whole rows.';
  end if;
  return v_rows;
end;
$$;

-- Brings the tables of a snapshot to what they held at a later time, by the changes in backup_transaction_logs.
-- As a preview, unless told otherwise: how many changes of each kind would be replayed, by table.
create or replace function ${s}.restore_to_point_in_time(
  p_snapshot_id uuid, p_tenant_id uuid, p_target_timestamp timestamptz, p_initiated_by text, p_reason text,
  p_dry_run boolean default true
) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v ${s}.backup_pitr_snapshots;
  v_issues text;
  v_data jsonb;
  v_id uuid;
begin
  select * into v from ${s}.backup_pitr_snapshots where id = p_snapshot_id and tenant_id = p_tenant_id;
  if not found then
    return jsonb_build_object('success', false, 'error', 'Snapshot not found or access denied');
  end if;
  ${refuseUnusable}
  if p_target_timestamp is null or p_target_timestamp > clock_timestamp() then
    return jsonb_build_object('success', false, 'error', 'Target time is in the future');
  end if;
  if p_target_timestamp < v.created_at then
    return jsonb_build_object('success', false, 'error', 'Target time is before the snapshot');
  end if;
  -- A snapshot that was rolled back already is a base as good as before.
  select string_agg(value ->> 'issue', '; ') into v_issues
  from jsonb_array_elements(${s}.validate_snapshot_integrity(p_snapshot_id) -> 'issues')
  where value ->> 'issue' <> 'already rolled back';
  if v_issues is not null then
    return jsonb_build_object('success', false, 'error', 'Snapshot is not sound: ' || v_issues);
  end if;
  begin
    select jsonb_object_agg(name, ${s}.pitr_rows_at(
      name, v.snapshot_data -> name, p_tenant_id, v.created_at, p_target_timestamp
    )) into v_data
    from (select distinct unnest(v.affected_tables) as name) as chosen;
  exception when others then
    return jsonb_build_object('success', false, 'error', sqlerrm);
  end;

  if p_dry_run then
    return jsonb_build_object(
      'success', true, 'dry_run', true, 'snapshot_id', p_snapshot_id, 'target_timestamp', p_target_timestamp,
      'tables_to_restore', ${s}.get_table_restoration_order(v.affected_tables),
      'estimated_rows', (select sum(jsonb_array_length(value)) from jsonb_each(v_data)),
      'changes', (
        select coalesce(jsonb_object_agg(table_name, counts), '{}')
        from (
          select table_name, jsonb_build_object(
            'INSERT', count(*) filter (where operation = 'INSERT'),
            'UPDATE', count(*) filter (where operation = 'UPDATE'),
            'DELETE', count(*) filter (where operation = 'DELETE')
          ) as counts
          from ${s}.backup_transaction_logs
          where tenant_id = p_tenant_id and table_name = any (v.affected_tables)
            and changed_at > v.created_at and changed_at <= p_target_timestamp
          group by table_name
        ) as by_table
      ),
      'message', 'Dry run completed - no actual restoration performed'
    );
  end if;
  insert into ${s}.backup_pitr_snapshots (
    tenant_id, snapshot_name, snapshot_type, created_by, snapshot_data, affected_tables, total_rows_count, metadata
  )
  values (
    p_tenant_id, format('%s at %s', v.snapshot_name, p_target_timestamp), 'automated', p_initiated_by, v_data,
    v.affected_tables, (select sum(jsonb_array_length(value)) from jsonb_each(v_data)),
    jsonb_strip_nulls(jsonb_build_object(
      'base_snapshot_id', v.id, 'target_timestamp', p_target_timestamp, 'whole_tables', v.metadata -> 'whole_tables'
    ))
  )
  returning id into v_id;
  return ${s}.execute_pitr_rollback(v_id, p_tenant_id, p_initiated_by, p_reason, false)
    || jsonb_build_object('base_snapshot_id', v.id, 'target_timestamp', p_target_timestamp);
end;
$$;
`.trim();
}
