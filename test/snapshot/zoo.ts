/** Tables of the schema `shop` with every type there is, and hostile names and values; and tables of two tenants. */
export const zooSql = `
  create schema shop;
  create type shop.mood as enum ('sad', 'o''k, "fine"');
  create type shop.pair as (a int, b text);
  create domain shop.percent as numeric(5,2) check (value <= 100);
  create table shop.parents (id int primary key, note text);
  insert into shop.parents select n, repeat(md5(n::text), 30) from generate_series(1, 400) n;
  create table shop."Zoo.of 'all'" (
    id bigint generated always as identity primary key,
    parent int references shop.parents (id) deferrable initially deferred,
    twice numeric generated always as (parent * 2) stored,
    flag boolean, small "char", fixed char(5), cost money, bits bit(3), span interval, ends timestamptz,
    day date, clock timetz, half real, whole double precision, exact numeric, mark shop.percent, mood shop.mood,
    pair shop.pair, pairs shop.pair[], far int[], range tstzrange, many int4multirange, place point, shape path,
    raw bytea, doc json, docb jsonb, markup xml, words tsvector, address inet, rel regclass, text text
  );
  insert into shop."Zoo.of 'all'" (parent, flag, small, fixed, cost, bits, span, ends, day, clock, half, whole, exact, mark,
    mood, pair, pairs, far, range, many, place, shape, raw, doc, docb, markup, words, address, rel, text) values
    (1, true, 'x', 'ab', '1234.56', '101', '1 mon -3 days 04:05:06.7', 'infinity', '0044-03-15 BC', '24:00:00+05:30',
      0.1, 1e-300 / 3, 'NaN', 99.90, 'o''k, "fine"', row(null, ''), array[row(1, 'a,"b'), null]::shop.pair[],
      '[-1:0][2:3]={{1,NULL},{3,4}}', '["2026-01-01 00:00+01",infinity)', '{[1,3),[7,9)}', '(0.1,-0)', '[(0,0),(1,2)]',
      '\\x00ff0a', E'{ "b":\\n 1, "b": 2}', '{"n": 1e400}', '<a>&amp;<b/></a>', '''it''''s'':1A fat:2', '10.0.0.1/8',
      'shop.parents', E'tab\\t nl\\n cr\\r \\\\ " \\u0001\\u2028 \\\\N'),
    (null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
      null, null, null, null, null, null, null, null, null, null, null),
    (2, false, '', '', '-0.01', '000', '-178000000 years', '-infinity', 'infinity', '00:00-15', '-Infinity', 'NaN', '-0.000', 0,
      'sad', row(null, null), '{}', '{}', 'empty', '{}', '(inf,nan)', '((0,0),(1,2))', '', 'null', 'null', 'text', '', '::1', 0, '');
  create table shop.days (day date not null, n int) partition by range (day);
  create table shop.days_old partition of shop.days for values from (minvalue) to ('2026-01-01');
  create table shop.days_new partition of shop.days for values from ('2026-01-01') to (maxvalue);
  insert into shop.days values ('2025-12-31', 1), ('2026-01-01', 2);
  create table shop.child (more text) inherits (shop.parents);
  insert into shop.child values (1000, 'of the child', 'x');
  create table shop.empty (id int);
  create schema tenants;
  create table tenants.orders (id int primary key, tenant varchar(40) not null);
  insert into tenants.orders values (1, 'a'), (2, 'b'), (3, 'a'' or ''1''=''1'), (4, 'A'), (5, 'a ');
  create table tenants.codes (id int, tenant char(3));
  insert into tenants.codes values (1, 'a'), (2, 'abc');
  create domain tenants.short as varchar(3);
  create domain tenants.shorter as tenants.short;
  create table tenants.cut (id int, tenant tenants.shorter);
  insert into tenants.cut values (1, 'a'), (2, 'abc');
  create table tenants.named (id int, tenant name);
  insert into tenants.named values (1, 'a'), (2, repeat('n', 63));
  create table tenants.letters (id int, tenant "char");
  insert into tenants.letters values (1, 'a'), (2, 'n')`;

/** The table of all types, quoted. */
export const zooOfAll = `shop."Zoo.of 'all'"`;
