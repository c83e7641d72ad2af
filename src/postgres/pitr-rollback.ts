/** Ends a function with why the snapshot `v` cannot be used, where it has expired or holds no table. */
export const refuseUnusable = `if v.expires_at < now() or v.status = 'expired' then
    return jsonb_build_object('success', false, 'error', 'Snapshot expired');
  end if;
  if coalesce(cardinality(v.affected_tables), 0) = 0 then
    return jsonb_build_object('success', false, 'error', 'No tables to restore');
  end if;`;

/**
 * SQL functions that bring all tables of a snapshot back, or none of them.
 *
 * @param s the schema, quoted
 */
export function pitrRollbackFunctions(s: string): string {
  return `
-- Brings every table of a snapshot back, in one transaction, or leaves everything as it was and says why.
create or replace function ${s}.execute_pitr_rollback(
  p_snapshot_id uuid, p_tenant_id uuid, p_initiated_by text, p_reason text, p_dry_run boolean default false
) returns jsonb
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v ${s}.backup_pitr_snapshots;
  v_order text[];
  v_oids oid[];
  v_rollback_id uuid;
  v_started timestamptz := clock_timestamp();
  v_table text;
  v_constraint oid;
  v_result jsonb;
  v_results jsonb := '[]';
  v_rows bigint := 0;
  v_errors integer := 0;
  v_disabled integer := 0;
  v_enabled integer := 0;
  v_error text;
  v_detail text;
  v_state text;
begin
  -- Locked: two rollbacks of one snapshot come one after the other, and the second is told.
  select * into v from ${s}.backup_pitr_snapshots where id = p_snapshot_id and tenant_id = p_tenant_id for update;
  if not found then
    return jsonb_build_object('success', false, 'error', 'Snapshot not found or access denied');
  end if;
  if v.is_rolled_back then
    return jsonb_build_object('success', false, 'error', 'Snapshot already rolled back');
  end if;
  ${refuseUnusable}

  if p_dry_run then
    v_order := ${s}.get_table_restoration_order(v.affected_tables);
    return jsonb_build_object(
      'success', true, 'dry_run', true, 'snapshot_id', p_snapshot_id, 'tables_to_restore', v_order,
      'estimated_rows', (
        select coalesce(sum(jsonb_array_length(v.snapshot_data -> name)), 0) from unnest(v_order) as name
        where jsonb_typeof(v.snapshot_data -> name) = 'array'
      ),
      'message', 'Dry run completed - no actual restoration performed'
    );
  end if;

  insert into ${s}.backup_pitr_rollback_history (tenant_id, snapshot_id, initiated_by, reason, rollback_started_at, transaction_ids)
  values (p_tenant_id, p_snapshot_id, p_initiated_by, p_reason, v_started, array[pg_current_xact_id()::text])
  returning id into v_rollback_id;

  -- What fails in here is undone as a whole, and what is written down after it stays.
  begin
    v_result := ${s}.validate_snapshot_integrity(p_snapshot_id);
    if not (v_result ->> 'valid')::boolean then
      raise exception 'Snapshot is not sound: %',
        (select string_agg(value ->> 'issue', '; ') from jsonb_array_elements(v_result -> 'issues'));
    end if;
    v_order := ${s}.get_table_restoration_order(v.affected_tables);
    v_oids := array(select ${s}.pitr_table_oid(name) from unnest(v_order) as name);
    foreach v_table in array v_order loop
      v_disabled := v_disabled + ${s}.disable_table_fk_constraints(v_table, v_rollback_id, p_tenant_id);
    end loop;
    -- Those of other tables as well: a row that is replaced must not take rows of theirs along.
    for v_constraint in
      select oid from pg_constraint
      where contype = 'f' and conparentid = 0 and confrelid = any (v_oids) order by conrelid, conname
    loop
      perform ${s}.pitr_take_off(v_constraint, v_rollback_id, p_tenant_id);
      v_disabled := v_disabled + 1;
    end loop;

    foreach v_table in array v_order loop
      v_result := ${s}.restore_table_from_snapshot(p_snapshot_id, v_table, v_rollback_id);
      v_results := v_results || v_result;
      if (v_result ->> 'success')::boolean then
        v_rows := v_rows + (v_result ->> 'rows_restored')::bigint;
      else
        v_errors := v_errors + 1;
      end if;
    end loop;
    if v_errors > 0 then
      raise exception '% of % tables could not be restored, so none was', v_errors, cardinality(v_order);
    end if;

    -- What is checked late is checked now: a violation is told here, and a table with checks to come is not altered.
    set constraints all immediate;
    for v_table in
      select distinct table_schema || '.' || table_name from ${s}.backup_fk_constraints_cache
      where rollback_id = v_rollback_id and is_disabled order by 1
    loop
      v_enabled := v_enabled + ${s}.re_enable_table_fk_constraints(v_table, v_rollback_id);
    end loop;
    update ${s}.backup_pitr_rollback_history
    set status = 'completed', current_step = 'completed', rollback_completed_at = clock_timestamp(),
      duration_seconds = extract(epoch from clock_timestamp() - v_started)::integer,
      rows_restored = v_rows, tables_affected = v_order, errors_encountered = 0,
      fk_constraints_handled = jsonb_build_object('disabled', v_disabled, 'enabled', v_enabled)
    where id = v_rollback_id;
    update ${s}.backup_pitr_snapshots
    set is_rolled_back = true, status = 'rolled_back', rolled_back_at = clock_timestamp(),
      rolled_back_by = p_initiated_by, rollback_notes = p_reason
    where id = p_snapshot_id;
  exception when others then
    get stacked diagnostics v_error = message_text, v_detail = pg_exception_detail, v_state = returned_sqlstate;
  end;

  if v_error is not null then
    v_errors := greatest(v_errors, 1);
    update ${s}.backup_pitr_rollback_history
    set status = 'failed', current_step = 'failed', rollback_completed_at = clock_timestamp(),
      duration_seconds = extract(epoch from clock_timestamp() - v_started)::integer,
      rows_restored = 0, tables_affected = v_order, errors_encountered = v_errors,
      error_details = jsonb_build_object(
        'error', v_error, 'hint', v_state, 'detail', v_detail, 'restoration_results', v_results
      )
    where id = v_rollback_id;
    return jsonb_build_object(
      'success', false, 'rollback_id', v_rollback_id, 'snapshot_id', p_snapshot_id, 'tables_restored', array[]::text[],
      'total_rows_restored', 0, 'errors_encountered', v_errors, 'fk_constraints_disabled', 0,
      'fk_constraints_enabled', 0, 'restoration_results', v_results, 'status', 'failed',
      'error', concat_ws(' ', v_error, nullif(v_detail, '')), 'sqlstate', v_state
    );
  end if;
  return jsonb_build_object(
    'success', true, 'rollback_id', v_rollback_id, 'snapshot_id', p_snapshot_id, 'tables_restored', v_order,
    'total_rows_restored', v_rows, 'errors_encountered', 0, 'fk_constraints_disabled', v_disabled,
    'fk_constraints_enabled', v_enabled, 'restoration_results', v_results, 'status', 'completed'
  );
end;
$$;

-- The older form: the rollback's id, or the error raised.
create or replace function ${s}.execute_pitr_rollback(p_snapshot_id uuid, p_initiated_by text, p_reason text) returns uuid
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_tenant uuid;
  v_result jsonb;
begin
  select tenant_id into v_tenant from ${s}.backup_pitr_snapshots where id = p_snapshot_id;
  v_result := ${s}.execute_pitr_rollback(p_snapshot_id, v_tenant, p_initiated_by, p_reason, false);
  if not (v_result ->> 'success')::boolean then
    raise exception '%', v_result ->> 'error';
  end if;
  return (v_result ->> 'rollback_id')::uuid;
end;
$$;
`.trim();
}
