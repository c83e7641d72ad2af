create type feeling as enum ('sad', 'it''s "ok", {really}');
create domain positive as integer check (value > 0);
create type pair as (a integer, "b c" text);
create type floatrange as range (subtype = float8);
create type textrange as range (subtype = text);
create type everything as (
  i int8, f float8, n numeric, t text, b bytea, q boolean, d date, ti time, tz timetz, ts timestamp,
  tstz timestamptz, iv interval, u uuid, ip inet, net cidr, bits varbit, j jsonb, arr integer[], texts text[],
  blobs bytea[], p point, bx box, ls lseg, c circle, ln line, r int4range, tr tstzrange, inner_pair pair,
  m feeling, lsn pg_lsn, "Weird = Name" text, ch "char", mr int4multirange, pairs pair[], dom positive
);
create table exotic (
  id integer primary key,
  everything everything,
  everythings everything[],
  floats floatrange,
  texts textrange,
  text_ranges textrange[],
  nums nummultirange,
  days datemultirange,
  ranges int4range[],
  multiranges int4multirange[],
  points point[],
  boxes box[],
  lines line[],
  circles circle[],
  segments lseg[],
  bits bit(3)[],
  varbits varbit[][],
  chars "char"[],
  blobs bytea[][],
  intervals interval[],
  times timetz[],
  moments timestamptz[],
  feelings feeling[],
  jsons json[],
  positions pg_lsn[],
  tuple_id tid,
  snapshot pg_snapshot,
  transaction_id xid8,
  old_transaction_id xid,
  class regclass,
  macs macaddr8[],
  money money,
  path jsonpath,
  vector tsvector[]
);
