import type { ColumnType } from '../archive/column-type.ts';

/** A type as the catalog describes it; the links between types are oids. */
export interface TypeRow {
  readonly oid: number;
  readonly name: string;
  /** `pg_type.typtype`: base, composite, domain, enum, multirange, range, pseudo. */
  readonly kind: 'b' | 'c' | 'd' | 'e' | 'm' | 'r' | 'p';
  /** The type below a domain, the elements of an array, the subtype of a range or multirange. */
  readonly of: number | null;
  readonly delimiter: string;
  /** Of a domain: what it is over, as SQL, with its modifier. */
  readonly over: string | null;
  /** A domain that refuses NULL. */
  readonly notNull: boolean;
  readonly fields: readonly { readonly name: string; readonly type: number }[] | null;
}

/**
 * Query for the {@link TypeRow}s of all columns of the relation `target`, and of all that they are made
 * of, as one JSON array; a part of the query of catalog.ts, which defines `target`.
 */
export const typesSql = `
  with recursive described as not materialized (
    select t.oid, t.typname, t.typtype, t.typdelim, t.typnotnull, t.typrelid,
      case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) end as over_name,
      case
        when t.typtype = 'd' then t.typbasetype
        when t.typtype in ('r', 'm') then r.rngsubtype
        -- point and name have a typelem too; only a true array is what its element names as its array
        when e.oid is not null then e.oid
      end as part
    from pg_type t
    left join pg_type e on e.oid = t.typelem and e.typarray = t.oid
    left join pg_range r on (t.typtype = 'r' and r.rngtypid = t.oid) or (t.typtype = 'm' and r.rngmultitypid = t.oid)
  ), needed (oid) as (
    select a.atttypid
    from target join pg_attribute a on a.attrelid = target.oid and a.attnum > 0 and not a.attisdropped
    union
    select link.oid
    from needed join described d on d.oid = needed.oid
    cross join lateral (
      select d.part where d.part is not null
      union all
      select f.atttypid from pg_attribute f
      where d.typrelid <> 0 and f.attrelid = d.typrelid and f.attnum > 0 and not f.attisdropped
    ) as link (oid)
  )
  select json_agg(json_build_object(
    'oid', d.oid::int8,
    'name', d.typname,
    'kind', d.typtype,
    'of', d.part::int8,
    'delimiter', d.typdelim,
    'over', d.over_name,
    'notNull', d.typnotnull,
    'fields', (
      select json_agg(json_build_object('name', f.attname, 'type', f.atttypid::int8) order by f.attnum)
      from pg_attribute f
      where d.typrelid <> 0 and f.attrelid = d.typrelid and f.attnum > 0 and not f.attisdropped
    )
  ))
  from needed join described d on d.oid = needed.oid`;

/** The types of a table, by oid. */
export type TypeGraph = ReadonlyMap<number, TypeRow>;

/** Resolves a type as encoders need it: domains replaced by what they are over, at every depth. */
export function resolveType(graph: TypeGraph, oid: number): ColumnType {
  const row = typeRow(graph, oid);
  const { name } = row;
  if (row.kind === 'd') return resolveType(graph, part(row));
  if (row.kind === 'e') return { kind: 'enum', name };
  if (row.kind === 'r') return { kind: 'range', name, subtype: resolveType(graph, part(row)) };
  if (row.kind === 'm') return { kind: 'multirange', name, subtype: resolveType(graph, part(row)) };
  if (row.kind === 'c') {
    const fields = (row.fields ?? []).map((field) => ({
      name: field.name,
      type: resolveType(graph, field.type),
    }));
    return { kind: 'composite', name, fields };
  }
  if (row.of === null) return { kind: 'scalar', name };
  const element = typeRow(graph, row.of);
  return {
    kind: 'array',
    name,
    element: resolveType(graph, row.of),
    // array_in goes by the delimiter of the element; that of the array type is a copy.
    delimiter: element.delimiter,
  };
}

/** The type below a domain as SQL, modifier included; null for a type that is no domain. */
export function baseTypeName(graph: TypeGraph, oid: number): string | null {
  const row = typeRow(graph, oid);
  return row.kind === 'd' ? (baseTypeName(graph, part(row)) ?? row.over) : null;
}

/** The domain that a domain is over; null where it is over another type, or is none. */
export function innerDomain(graph: TypeGraph, oid: number): string | null {
  const row = typeRow(graph, oid);
  const inner = row.kind === 'd' ? typeRow(graph, part(row)) : null;
  return inner?.kind === 'd' ? inner.name : null;
}

/** Tells whether a domain, or one that it is over, refuses NULL. */
export function refusesNull(graph: TypeGraph, oid: number): boolean {
  const row = typeRow(graph, oid);
  return row.kind === 'd' && (row.notNull || refusesNull(graph, part(row)));
}

function part(row: TypeRow): number {
  if (row.of === null) throw new TypeError(`The catalog names no part of type ${row.name}.`);
  return row.of;
}

function typeRow(graph: TypeGraph, oid: number): TypeRow {
  const row = graph.get(oid);
  if (!row) throw new TypeError(`The catalog has no type ${oid}.`);
  return row;
}
