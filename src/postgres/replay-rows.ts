import type pg from 'pg';
import type { FaultyChange } from '../contract/snapshot-replay.ts';
import { qualifiedName } from './identifier.ts';
import { exactIsoTime } from './kept.ts';
import type { TableLog } from './replay-log.ts';
import { hasForeignRows } from './snapshot-differences.ts';

/** Makes what {@link followRows} needs, once for a session. @throws what PostgreSQL answers, raw */
export async function prepareReplay(client: pg.Client): Promise<void> {
  // What a later change does not tell stays as an earlier one told it.
  await client.query(
    `set local work_mem = '64MB';
     drop aggregate if exists pg_temp.thaw_folded(jsonb);
     create aggregate pg_temp.thaw_folded(jsonb) (sfunc = jsonb_concat, stype = jsonb, initcond = '{}')`,
  );
}

/**
 * Follows each row through its changes, also where its key changes, into `thaw_states`: what is known of it before
 * each, and whether the change contradicts that.
 *
 * A row's life begins in the snapshot or with an insert, and ends with a delete. A change of the key ends nothing: it
 * leads from one key to the next, and the ways of all keys are joined.
 *
 * @param order by which one change of a row comes before another: the place in the log, or its sequence alone
 * @throws what PostgreSQL answers, raw
 */
export async function followRows(
  client: pg.Client,
  { log, staged, key }: TableLog,
  order: 'place' | 'sequence',
): Promise<void> {
  const same = (side: string) =>
    key.map((_, index) => `${side}.k${index} = log.${side}${index}`).join(' and ');
  await client.query(`
    drop table if exists pg_temp.thaw_moves, pg_temp.thaw_lives, pg_temp.thaw_states;
    create temp table thaw_moves on commit drop as
    select log.place, log.${order} as turn, log.at, log.operation, o.key as old_key, n.key as new_key
    from thaw_log as log
    left join thaw_keys as o on ${same('o')}
    left join thaw_keys as n on ${same('n')};
    analyze thaw_moves;
    create temp table thaw_lives on commit drop as ${livesQuery};
    analyze thaw_lives`);
  await client.query(
    `create temp table thaw_states on commit drop as ${statesQuery(
      qualifiedName(staged.stage.schema, staged.stage.table),
      log.sequence !== null,
    )}`,
    [staged.columns.map(({ name }) => name)],
  );
}

/** How many changes contradict what is known, and the first of them. */
export async function readFaults(
  client: pg.Client,
  { staged: { target }, key }: TableLog,
  limit: number,
): Promise<{ readonly count: number; readonly first: readonly FaultyChange[] }> {
  const named = (side: string) => key.map((_, index) => `log.${side}${index}::text`).join(', ');
  const { rows } = await client.query<Omit<FaultyChange, 'schema' | 'table'> & { count: number }>(
    `select count(*) over () as count, state.fault, log.operation, log.entry, ${exactIsoTime('log.at')} as "changedAt",
       coalesce(log.record, case when log.operation = 'INSERT' then concat_ws(', ', ${named('n')})
         else concat_ws(', ', ${named('o')}) end) as record
     from thaw_states as state join thaw_log as log using (place)
     where state.fault is not null
     order by log.place limit $1`,
    [limit],
  );
  return {
    count: rows[0]?.count ?? 0,
    first: rows.map(({ count: _, ...fault }) => ({ schema: target.schema, table: target.table, ...fault })),
  };
}

/**
 * Puts what became of the rows into the stage.
 *
 * @returns how many rows the stage has by now; null, and nothing was put there, where the log has rows of another
 * tenant
 * @throws what PostgreSQL answers, raw
 */
export async function applyStates(client: pg.Client, { staged }: TableLog): Promise<number | null> {
  const stage = qualifiedName(staged.stage.schema, staged.stage.table);
  // A value that did not change stays as the snapshot has it: bounds of arrays and blanks of json are not in the log.
  await client.query(
    `create temp table thaw_rows on commit drop as
     select made.*
     from (
       select distinct on (root, life) operation, base, is_whole, doc
       from thaw_states order by root, life, turn desc
     ) as last
     left join ${stage} as staged on staged.ctid = last.base
     cross join lateral (select to_jsonb(staged) as json offset 0) as was
     cross join lateral (
       select case when last.base is null then last.doc else (
           select coalesce(jsonb_object_agg(told.key, told.value), '{}')
           from jsonb_each(last.doc) as told
           where told.value::text is distinct from (was.json -> told.key)::text
         ) end as doc
     ) as changed
     cross join lateral jsonb_populate_record(staged, changed.doc) as made
     where last.operation <> 'DELETE' and last.is_whole`,
  );
  const rows = { ...staged, stage: { schema: 'pg_temp', table: 'thaw_rows' } };
  if (await hasForeignRows(client, rows)) return null;
  await client.query(
    `delete from ${stage} as staged using thaw_keys where staged.ctid = thaw_keys.base;
     insert into ${stage} select * from thaw_rows;
     analyze ${stage}`,
  );
  const { rows: counted } = await client.query<{ count: number }>(`select count(*) as count from ${stage}`);
  return counted[0]?.count ?? 0;
}

/** Ends the work on a table. @throws what PostgreSQL answers, raw */
export async function forgetChanges(client: pg.Client): Promise<void> {
  const tables = ['keys', 'log', 'moves', 'lives', 'states', 'rows'].map((name) => `pg_temp.thaw_${name}`);
  await client.query(`drop table if exists ${tables.join(', ')}`);
}

/**
 * Query for the life that each change belongs to, by the key and the number of the life where it began, with what
 * speaks against the change by where it stands.
 */
const livesQuery = `
  with recursive steps as (
    select place, turn, at, old_key as key, case when new_key = old_key then 'within' else 'end' end as kind
    from thaw_moves where old_key is not null
    union all
    select place, turn, at, new_key, 'begin' from thaw_moves
    where new_key is not null and new_key is distinct from old_key
  ), placed as materialized (
    select step.*, thaw_keys.base,
      count(*) filter (where kind = 'end') over (
        partition by key order by turn rows between unbounded preceding and 1 preceding
      ) as life,
      lag(kind) over way as earlier,
      coalesce(at = lag(at) over way, false) or coalesce(at = lead(at) over way, false) as tied
    from steps as step join thaw_keys using (key)
    window way as (partition by key order by turn)
  ), judged as (
    select *, case
        when (case when earlier is null then base is not null else earlier <> 'end' end) = (kind = 'begin')
        then case kind when 'begin' then 'present' else 'missing' end
      end as fault
    from placed
  ), links as materialized (
    select distinct on (arrival.key, arrival.life)
      arrival.key, arrival.life, departure.key as from_key, departure.life as from_life
    from placed as arrival
    join placed as departure on departure.place = arrival.place and departure.kind = 'end' and arrival.kind = 'begin'
    order by arrival.key, arrival.life, arrival.turn desc
  ), roots as (
    select key, life, from_key as root, from_life as root_life from links
    where not exists (
      select from links as before where before.key = links.from_key and before.life = links.from_life
    )
    union all
    select links.key, links.life, roots.root, roots.root_life
    from roots join links on links.from_key = roots.key and links.from_life = roots.life
  )
  select step.place, step.turn, coalesce(roots.root, step.key) as root, coalesce(roots.root_life, step.life) as life,
    coalesce(step.fault, arrival.fault) as fault, step.tied or coalesce(arrival.tied, false) as tied
  from judged as step
  left join judged as arrival on arrival.place = step.place and arrival.kind = 'begin' and step.kind = 'end'
  left join roots on roots.key = step.key and roots.life = step.life
  join thaw_moves as move on move.place = step.place
  where step.kind <> 'begin' or move.old_key is null`;

/**
 * Query for what is known of a row before and after each change; `$1` are the columns of the snapshot. Images may
 * tell of changed columns alone.
 */
function statesQuery(stage: string, hasSequence: boolean): string {
  // First as JSON, which is quick; then as values, which may be written in more than one way.
  const differs = `
    change.old is not null and known.json || change.old <> known.json
      and to_jsonb(jsonb_populate_record(jsonb_populate_record(staged, change.before), change.old))
        is distinct from to_jsonb(jsonb_populate_record(staged, change.before))`;
  // Where old images are whole as well, there is one order alone in which each change finds what it says.
  const unproven = `
    case change.operation
      when 'UPDATE' then change.new - array(select jsonb_object_keys(change.old)) <> '{}'
      when 'DELETE' then not coalesce(change.old ?& $1::text[], false)
      else false
    end`;
  return `
    select change.place, change.turn, change.root, change.life, change.operation, change.base,
      coalesce(change.fault, case
        when change.operation = 'INSERT' and not change.new ?& $1::text[] then 'incomplete'
        ${hasSequence ? '' : `when change.tied and ${unproven} then 'unordered'`}
        when change.is_born and change.operation <> 'INSERT' and ${differs} then 'differs'
      end) as fault,
      change.is_born or (change.before || coalesce(change.new, '{}')) ?& $1::text[] as is_whole,
      change.before || coalesce(change.new, '{}') as doc
    from (
      select life.*, log.operation, log.old, log.new, key.base,
        key.base is not null or first_value(log.operation) over way = 'INSERT' as is_born,
        pg_temp.thaw_folded(log.new) over (way rows between unbounded preceding and 1 preceding) as before
      from thaw_lives as life
      join thaw_log as log using (place)
      left join thaw_keys as key on key.key = life.root and life.life = 0
      window way as (partition by life.root, life.life order by life.turn)
    ) as change
    left join ${stage} as staged on staged.ctid = change.base
    cross join lateral (select coalesce(to_jsonb(staged), '{}') || change.before as json offset 0) as known`;
}
