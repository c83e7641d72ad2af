/** The database of the benchmark of snapshots. */
export const shopDatabase = 'shop_db';

/** Rows of the 20 tables: a million. */
const sizes = [
  ...[1_000, 1_000, 2_000, 2_000, 4_000, 10_000, 20_000, 20_000, 20_000, 20_000],
  ...[40_000, 40_000, 40_000, 60_000, 60_000, 80_000, 80_000, 100_000, 150_000, 250_000],
];

/** Their names, parents of foreign keys first. */
export const shopTables = sizes.map((_, place) => `shop_${String(place + 1).padStart(2, '0')}`);

/** Makes the tables with their keys, those of two more tables each; some are deferrable, some delete what refers to them. */
export const createShop = sizes
  .map((_, place) => {
    const [one, other] = parentsOf(place);
    const late = place % 5 === 1 ? 'deferrable initially deferred' : '';
    const action = place % 4 === 3 ? 'on delete cascade' : '';
    return `create table ${shopTables[place]} (
      id bigint generated always as identity primary key,
      one_id bigint ${one === null ? '' : `references ${shopTables[one]} ${action} ${late}`},
      other_id bigint ${other === null ? '' : `references ${shopTables[other]} ${late}`},
      code text not null${place % 2 === 0 ? ' unique' : ''},
      amount numeric(12,2),
      rate double precision,
      active boolean not null,
      doc jsonb,
      at timestamptz not null,
      note text
    );
    create index on ${shopTables[place]} (one_id);
    create index on ${shopTables[place]} (other_id)`;
  })
  .join(';\n');

const fillTables = sizes
  .map((rows, place) => {
    const [one, other] = parentsOf(place);
    const parent = (of: number | null, factor: number) =>
      of === null ? 'null' : `1 + (g::bigint * ${factor}) % ${sizes[of]}`;
    return `insert into ${shopTables[place]} (one_id, other_id, code, amount, rate, active, doc, at, note)
      select ${parent(one, 7919)}, ${parent(other, 104729)}, md5('${place}.' || g), (g * 37 % 900000) / 100.0, g / 7.0, g % 3 = 0,
        case when g % 4 = 0 then null else jsonb_build_object('ip', '10.0.' || g % 256 || '.1', 'n', g, 'tags', array['a', 'b']) end,
        timestamptz '2025-01-01 00:00:07+00' + g * interval '14.4 seconds',
        case when g % 7 = 0 then null else repeat('note ' || g % 100 || ' ', 1 + g % 6) end
      from generate_series(1, ${rows}) as g`;
  })
  .join(';\n');

/** Fills them, the same way each time. */
export const fillShop = `set session_replication_role = replica; ${fillTables}; reset session_replication_role`;

/** Changes every hundredth row or so, takes some away and adds some, as a day of work does. */
export const changeShop = `
  set session_replication_role = replica;
  ${shopTables
    .map(
      (table) => `
        update ${table} set amount = amount + 1, note = 'changed' where id % 100 = 7;
        delete from ${table} where id % 200 = 9;
        insert into ${table} (code, active, at) select 'new ' || g, true, now() from generate_series(1, 20) as g`,
    )
    .join(';\n')};
  reset session_replication_role`;

/** Empties them. */
export const emptyShop = `truncate ${shopTables.join(', ')}`;

/** Count and sum over all rows, whatever their order: equal for equal rows. */
export const checksumShop = `
  select sum(rows)::int as rows, md5(string_agg(sum, '' order by name)) as md5 from (
    ${shopTables
      .map(
        (table) =>
          `select '${table}' as name, count(*) as rows, coalesce(sum(hashtextextended(t::text, 0)), 0)::text as sum from ${table} as t`,
      )
      .join(' union all ')}
  ) as one`;

function parentsOf(place: number): readonly [number | null, number | null] {
  if (place === 0) return [null, null];
  return [Math.floor((place - 1) / 2), place > 2 ? place - 2 : null];
}
