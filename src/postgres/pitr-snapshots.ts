import { pitrTextSettings } from './pitr-text-settings.ts';

/**
 * SQL functions that take a snapshot, check it and bring one or all of its tables back.
 *
 * @param s the schema, quoted
 */
export function pitrSnapshotFunctions(s: string): string {
  return `
-- Keeps a tenant's rows of some tables, all of one moment; the snapshot's id.
create or replace function ${s}.create_pitr_snapshot(
  p_tenant_id uuid, p_snapshot_name text, p_affected_tables text[], p_created_by text, p_restore_log_id uuid default null
) returns uuid
language plpgsql set search_path = pg_catalog, pg_temp
${pitrTextSettings} as $$
declare
  v_query text;
  v_data jsonb;
  v_id uuid;
begin
  -- One statement, so that all of it is of one moment.
  select string_agg(
    format(
      'select %L as name, (select coalesce(jsonb_agg(to_jsonb(t)), ''[]'') from %s t where %s) as content',
      name, oid::regclass, ${s}.pitr_tenant_condition(oid, p_tenant_id, false)
    ),
    ' union all '
  ) into v_query
  from (select distinct name, ${s}.pitr_table_oid(name) as oid from unnest(p_affected_tables) as given (name)) as chosen;
  if v_query is null then
    raise exception 'No tables to keep';
  end if;
  execute format('select jsonb_object_agg(name, content) from (%s) as tables', v_query) into v_data;
  insert into ${s}.backup_pitr_snapshots (
    tenant_id, restore_log_id, snapshot_name, created_by, expires_at, snapshot_data, affected_tables,
    total_rows_count, snapshot_size_bytes, checksum, metadata
  )
  values (
    p_tenant_id, p_restore_log_id, p_snapshot_name, p_created_by, now() + interval '30 days', v_data, p_affected_tables,
    (select sum(jsonb_array_length(value)) from jsonb_each(v_data)), octet_length(v_data::text),
    encode(sha256(convert_to(v_data::text, 'UTF8')), 'hex'), '{"checksum": "sha256 of snapshot_data::text"}'
  )
  returning id into v_id;
  return v_id;
end;
$$;

-- Whether a snapshot may be restored: {valid, issues: [{issue}], snapshot: {id, created_at, status, affected_tables}}.
create or replace function ${s}.validate_snapshot_integrity(p_snapshot_id uuid) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v ${s}.backup_pitr_snapshots;
  v_issues jsonb := '[]';
  v_table text;
begin
  select * into v from ${s}.backup_pitr_snapshots where id = p_snapshot_id;
  if not found then
    return jsonb_build_object('valid', false, 'error', 'Snapshot not found');
  end if;
  if v.snapshot_data is null or v.snapshot_data = 'null' then
    v_issues := v_issues || jsonb_build_object('issue', 'snapshot_data is null');
  elsif jsonb_typeof(v.snapshot_data) <> 'object' then
    v_issues := v_issues || jsonb_build_object('issue', 'snapshot_data is not an object');
  end if;
  if coalesce(cardinality(v.affected_tables), 0) = 0 then
    v_issues := v_issues || jsonb_build_object('issue', 'no affected_tables');
  end if;
  if v.expires_at < now() or v.status = 'expired' then
    v_issues := v_issues || jsonb_build_object('issue', 'snapshot expired');
  end if;
  if v.is_rolled_back or v.status = 'rolled_back' then
    v_issues := v_issues || jsonb_build_object('issue', 'already rolled back');
  end if;
  if v.metadata ->> 'checksum' = 'sha256 of snapshot_data::text'
    and v.checksum is distinct from encode(sha256(convert_to(v.snapshot_data::text, 'UTF8')), 'hex')
  then
    v_issues := v_issues || jsonb_build_object('issue', 'snapshot_data does not have its checksum');
  end if;
  if jsonb_typeof(v.snapshot_data) = 'object' then
    foreach v_table in array v.affected_tables loop
      if jsonb_typeof(v.snapshot_data -> v_table) is distinct from 'array' then
        v_issues := v_issues || jsonb_build_object('issue', 'snapshot_data has no rows of ' || v_table);
      end if;
      begin
        perform ${s}.pitr_table_oid(v_table);
      exception when others then
        v_issues := v_issues || jsonb_build_object('issue', sqlerrm);
      end;
    end loop;
  end if;
  return jsonb_build_object(
    'valid', v_issues = '[]', 'issues', v_issues,
    'snapshot', jsonb_build_object(
      'id', v.id, 'created_at', v.created_at, 'status', v.status, 'affected_tables', v.affected_tables
    )
  );
end;
$$;

-- Makes the tenant's part of one table what the snapshot holds: {success, table_name, rows_restored}, or
-- {success: false, error, table_name} and the table as it was.
create or replace function ${s}.restore_table_from_snapshot(p_snapshot_id uuid, p_table_name text, p_rollback_id uuid)
returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v record;
  v_started timestamptz := clock_timestamp();
  v_done jsonb;
  v_error text;
  v_detail text;
begin
  select tenant_id, snapshot_data -> p_table_name as content,
    coalesce(metadata -> 'whole_tables' ? p_table_name, false) as whole
  into v
  from ${s}.backup_pitr_snapshots where id = p_snapshot_id;
  if not found then
    return jsonb_build_object('success', false, 'error', 'Snapshot not found');
  end if;
  if p_rollback_id is not null and not exists (
    select from ${s}.backup_pitr_rollback_history
    where id = p_rollback_id and snapshot_id = p_snapshot_id and tenant_id = v.tenant_id
  ) then
    return jsonb_build_object(
      'success', false, 'error', 'Rollback not found, or of another snapshot', 'table_name', p_table_name
    );
  end if;
  if jsonb_typeof(v.content) is distinct from 'array' then
    return jsonb_build_object(
      'success', false, 'error', 'Table not found in snapshot or no data', 'table_name', p_table_name
    );
  end if;
  update ${s}.backup_pitr_rollback_history
  set current_step = 'restoring_' || p_table_name,
    restoration_steps = restoration_steps || jsonb_build_object(
      'table', p_table_name, 'status', 'restoring', 'started_at', v_started, 'progress_pct', 0
    )
  where id = p_rollback_id;
  begin
    v_done := ${s}.pitr_apply_rows(${s}.pitr_table_oid(p_table_name), v.tenant_id, v.whole, v.content);
  exception when others then
    get stacked diagnostics v_error = message_text, v_detail = pg_exception_detail;
    v_error := concat_ws(' ', v_error, nullif(v_detail, ''));
  end;
  update ${s}.backup_pitr_rollback_history
  set tables_restored = case
      when v_error is null and p_table_name <> all (coalesce(tables_restored, '{}')) then array_append(tables_restored, p_table_name)
      else tables_restored
    end,
    restoration_steps = restoration_steps || jsonb_strip_nulls(jsonb_build_object(
      'table', p_table_name, 'status', case when v_error is null then 'completed' else 'failed' end,
      'completed_at', clock_timestamp(), 'progress_pct', case when v_error is null then 100 end,
      'eta_seconds', case when v_error is null then 0 end, 'error', v_error,
      'rows_restored', v_done -> 'rows', 'inserted', v_done -> 'inserted', 'updated', v_done -> 'updated',
      'deleted', v_done -> 'deleted'
    ))
  where id = p_rollback_id;
  if v_error is not null then
    return jsonb_build_object('success', false, 'error', v_error, 'table_name', p_table_name);
  end if;
  return jsonb_build_object('success', true, 'table_name', p_table_name, 'rows_restored', v_done -> 'rows');
end;
$$;
`.trim();
}
