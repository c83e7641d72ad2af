import { qualifiedName, quoteIdentifier, quoteLiteral } from '../../../src/postgres/identifier.ts';
import { between, type Draw, isSo, pick } from './draw.ts';

/** A table of a random schema. All have the columns id, part, tenant, at, seat, twice and two of any type. */
export interface RandomTable {
  readonly name: string;
  readonly idType: (typeof idTypes)[number];
  readonly key: 'primary' | 'composite' | 'deferrable' | 'unique' | 'none';
  readonly seat: 'free' | 'unique' | 'deferrable' | 'partial' | 'exclusion';
  readonly partitioned: boolean;
  readonly tenantType: string;
  /** Places in {@link valueTypes}. */
  readonly values: readonly [number, number];
  readonly trigger: 'none' | 'fires' | 'fires always' | 'off';
  /** Whether it is in the snapshot. */
  readonly isIn: boolean;
}

/** A foreign key, of the columns `r{place}` and, to a composite key, `p{place}`. */
export interface RandomKey {
  readonly place: number;
  readonly child: number;
  readonly parent: number;
  readonly timing: '' | 'deferrable' | 'deferrable initially deferred';
  readonly onDelete: string;
  readonly onUpdate: string;
  readonly isFull: boolean;
  readonly isValid: boolean;
  readonly comment: string | null;
}

/** Tables and how they refer to each other. */
export interface RandomSchema {
  readonly tables: readonly RandomTable[];
  readonly keys: readonly RandomKey[];
}

const idTypes = ['int', 'text', 'text collate "C"', 'numeric', 'bigint', 'public.code'] as const;

/** Types with literals, in forms that lose something when they are converted. */
export const valueTypes: readonly (readonly [string, ...string[]])[] = [
  ['numeric(8,3)', '0.1', '-5.000', 'NaN'],
  ['numeric', '1.0', '1.00'],
  ['timestamptz', 'infinity', '2026-01-01 00:00:00.000001+00', '0044-03-15 12:00:00+00 BC'],
  ['interval', '1 mon -3 days 04:05:06.7', '-00:00:01'],
  ['text[]', '{a,NULL,"b c"}', '[0:1]={x,y}', '{}'],
  ['jsonb', '{"a": [1.0, null]}', 'null'],
  ['json', '{ "b":1,"b": 2}', '"x"'],
  ['bytea', '\\x00ff', '\\x'],
  ['float8', '-0', '0.1', 'Infinity', '1e-300'],
  ['point', '(0.1,-0)', '(inf,nan)'],
  ['tstzrange', '["2026-01-01 00:00+01",infinity)', 'empty'],
  ['char(5)', 'ab', ''],
  ['varchar(3) collate "C"', 'é\\"', ''],
  ['inet', '10.0.0.1/8', '::1'],
  ['xml', '<a>&amp;</a>', ''],
  ['int4multirange', '{[1,3),[7,9)}', '{}'],
  ['public.pair', '(1,"a,""b")', '(,)'],
  ['public.mood', 'sad', "o'k"],
  ['money', '$1.50', '-$0.01'],
  ['boolean', 't', 'f'],
];

const actions = ['no action', 'no action', 'restrict', 'cascade', 'set null', 'set default'] as const;

/** What the types above need, and what rows are tried and triggers are noted with. */
export const groundSql = `
  create domain public.code as text check (value <> '');
  create domain public.cut as varchar(5);
  create type public.pair as (a int, b text);
  create type public.mood as enum ('sad', 'o''k');
  create table public.fired (what text);
  create function public.note() returns trigger language plpgsql as
    'begin insert into public.fired values (tg_relid::regclass); return null; end';
  create function public.attempt(command text) returns boolean language plpgsql as $$
    begin
      execute 'set constraints all deferred; ' || command;
      set constraints all immediate;
      return true;
    exception when integrity_constraint_violation or feature_not_supported then
      return false;
    end $$`;

/** @param hasKeys every table of the snapshot has a key by which rows are told apart */
export function drawSchema(draw: Draw, hasKeys: boolean): RandomSchema {
  const tenantType = pick(draw, 'text', 'varchar(5)', 'char(5)', 'public.cut', 'name');
  const tables = Array.from({ length: between(draw, 1, 4) }, (_, place): RandomTable => {
    const isIn = place === 0 || between(draw, 0, 3) > 0;
    const key = pick(draw, 'primary', 'composite', 'primary', 'unique', 'deferrable', 'none');
    const partitioned = key !== 'deferrable' && between(draw, 0, 3) === 0;
    const seats = ['free', 'unique', 'deferrable', 'partial', 'exclusion'] as const;
    return {
      name: pick(draw, `t${place}`, `T "${place}'`),
      idType: pick(draw, ...idTypes),
      key: key === 'none' && hasKeys && isIn ? 'primary' : key,
      seat: partitioned ? 'free' : pick(draw, ...seats),
      partitioned,
      tenantType,
      values: [drawPlace(draw), drawPlace(draw)],
      trigger: pick(draw, 'none', 'fires', 'fires always', 'off'),
      isIn,
    };
  });
  const parents = tables.flatMap(({ key }, place) => (key === 'none' || key === 'deferrable' ? [] : place));
  const count = parents.length === 0 ? 0 : between(draw, 0, 5);
  const keys = Array.from({ length: count }, (_, place): RandomKey => {
    const child = between(draw, 0, tables.length - 1);
    const isPlain = tables[child]?.partitioned === false;
    // One that does nothing by itself may be deferred, or taken off for speed.
    const acts = isSo(draw);
    return {
      place,
      child,
      parent: pick(draw, ...parents),
      timing: pick(draw, '', '', 'deferrable', 'deferrable initially deferred'),
      onDelete: acts ? pick(draw, ...actions) : 'no action',
      onUpdate: acts ? pick(draw, ...actions) : 'no action',
      isFull: isSo(draw),
      // PostgreSQL has no such key of a partitioned table.
      isValid: !isPlain || between(draw, 0, 3) > 0,
      comment: pick(draw, null, "it's the key"),
    };
  });
  return { tables, keys };
}

function drawPlace(draw: Draw): number {
  return between(draw, 0, valueTypes.length - 1);
}

/** The columns by which rows are told apart. */
export function keyColumns({ key }: RandomTable): readonly string[] {
  return key === 'composite' ? ['id', 'part'] : ['id'];
}

/** The columns of a table that are written, with their types. */
export function writtenColumns({ tables, keys }: RandomSchema, place: number): (readonly [string, string])[] {
  const table = tables[place];
  if (table === undefined) return [];
  const own = keys.filter(({ child }) => child === place);
  return [
    ['id', table.idType],
    ['part', 'int'],
    ['tenant', table.tenantType],
    ['at', 'int'],
    ['seat', 'int'],
    ...table.values.map((value, at) => [`v${at}`, valueTypes[value]?.[0] ?? 'text'] as const),
    ...own.flatMap((key) => {
      const parent = tables[key.parent];
      const id = [`r${key.place}`, parent?.idType ?? 'int'] as const;
      return parent?.key === 'composite' ? [id, [`p${key.place}`, 'int'] as const] : [id];
    }),
  ];
}

/** The statements that make the tables in a schema, with their keys but foreign ones. */
export function tablesSql(schema: string, random: RandomSchema): string {
  return random.tables.map((table, place) => tableSql(schema, random, table, place)).join(';\n');
}

function tableSql(schema: string, random: RandomSchema, table: RandomTable, place: number): string {
  const name = qualifiedName(schema, table.name);
  const columns = writtenColumns(random, place).map(([column, type]) => {
    const isIdentity = column === 'id' && type === 'bigint';
    const more = isIdentity ? 'not null generated always as identity' : 'not null';
    return `${column} ${type} ${column === 'id' || column === 'part' ? more : ''}`;
  });
  const keys = {
    primary: ['primary key (id)'],
    composite: ['primary key (id, part)'],
    deferrable: ['primary key (id) deferrable initially deferred'],
    unique: ['unique (id)'],
    none: [],
  };
  const seats = {
    free: '',
    unique: `;create unique index on ${name} (seat)`,
    deferrable: `;alter table ${name} add unique (seat) deferrable initially deferred`,
    partial: `;create unique index on ${name} ((seat * 2)) where part > 1`,
    exclusion: `;alter table ${name} add exclude using gist (int4range(seat, seat + 1) with &&) where (seat is not null)`,
  };
  const parts = [0, 1].map(
    (part) =>
      `create table ${qualifiedName(schema, `${table.name}_${part}`)} partition of ${name} for values with (modulus 2, remainder ${part})`,
  );
  const all = [...columns, 'twice int generated always as (part * 2) stored', ...keys[table.key]];
  return `create table ${name} (${all.join(', ')}) ${table.partitioned ? `partition by hash (id); ${parts.join(';')}` : ''}
    ${seats[table.seat]}`;
}

/** The statements that add the foreign keys. @param validated whatever they say, all rows are looked at */
export function keysSql(schema: string, { tables, keys }: RandomSchema, validated = false): string {
  return keys
    .flatMap((key) => {
      const { place, child, parent, timing, onDelete, onUpdate, isFull, isValid, comment } = key;
      const [from, to] = [tables[child], tables[parent]];
      if (from === undefined || to === undefined) return [];
      const name = quoteIdentifier(`Key ${place}`);
      const table = qualifiedName(schema, from.name);
      const columns = to.key === 'composite' ? [`r${place}`, `p${place}`] : [`r${place}`];
      return `alter table ${table} add constraint ${name} foreign key (${columns.join(', ')})
        references ${qualifiedName(schema, to.name)} (${keyColumns(to).join(', ')}) ${isFull ? 'match full' : ''}
        on delete ${onDelete} on update ${onUpdate} ${timing} ${isValid || validated ? '' : 'not valid'};
        comment on constraint ${name} on ${table} is ${comment === null ? 'null' : quoteLiteral(comment)}`;
    })
    .join(';\n');
}

/** The statements that add triggers, which note that they have fired. */
export function triggersSql(schema: string, { tables }: RandomSchema): string {
  return tables
    .filter(({ trigger }) => trigger !== 'none')
    .map(({ name, trigger }) => {
      const table = qualifiedName(schema, name);
      const state = { 'fires always': 'enable always', off: 'disable', fires: 'enable', none: 'enable' };
      return `create trigger noted after insert or update or delete on ${table} for each row execute function public.note();
        alter table ${table} ${state[trigger]} trigger noted`;
    })
    .join(';\n');
}
