import { isSqlState } from '../postgres/sqlstate.ts';
import type { ControlClient } from './control-database.ts';
import { Binds, conditionOf, type FieldKind, type Fields } from './filter.ts';
import { fieldFault } from './list-fault.ts';

/** A table of the control database whose records the Data API lists. Every one has `id` and `tenant`. */
export interface Listing {
  readonly table: string;
  readonly fields: Fields;
  /** Records that are not shown where nothing is said of them. */
  readonly condition: string;
  readonly order: readonly Order[];
}

/** A field to order by. */
export interface Order {
  readonly field: string;
  readonly direction: 'asc' | 'desc';
}

/** What a list is asked for. */
export interface ListQuery {
  /** `where` objects, all of which must hold. */
  readonly where: readonly unknown[];
  /** Empty: as the listing has it. */
  readonly order: readonly Order[];
  readonly limit: number;
  readonly offset: number;
  /** Shows what was deleted as well. */
  readonly includeTrashed: boolean;
}

/** A page of a list. */
export interface Page<R> {
  readonly rows: readonly R[];
  /** Whether there are others behind it. */
  readonly more: boolean;
}

/**
 * Lists the records of a tenant; null: of all.
 *
 * @throws ThawError `InputInvalid` for a query that makes no sense
 */
export async function listPage<R extends object>(
  client: ControlClient,
  listing: Listing,
  query: ListQuery,
  tenant: string | null,
): Promise<Page<R>> {
  const binds = new Binds();
  const conditions = [
    `(${binds.add(tenant)}::text is null or tenant = $1)`,
    ...(query.includeTrashed ? [] : [listing.condition]),
  ];
  return readPage<R>(client, { ...listing, conditions }, query, binds);
}

/** Records that lie elsewhere, and are listed as those of the control database are. Every one has `id`. */
export type RecordListing = Pick<Listing, 'fields' | 'order'>;

/**
 * Lists records that lie elsewhere: the control database compares and orders them, so that it is done by one rule.
 *
 * @throws ThawError `InputInvalid` for a query that makes no sense
 */
export async function listRecords<R extends object>(
  client: ControlClient,
  listing: RecordListing,
  records: readonly R[],
  query: ListQuery,
): Promise<Page<R>> {
  const binds = new Binds();
  const columns = Object.entries(listing.fields).map(([name, kind]) => `${name} ${columnTypes[kind]}`);
  const given = `jsonb_array_elements(${binds.add(JSON.stringify(records))}::jsonb) with ordinality as given (record, place)`;
  const table = `${given}, jsonb_to_record(record) as fields (${columns.join(', ')})`;
  const from = { ...listing, table, conditions: ['true'] };
  const { rows, more } = await readPage<{ place: string }>(client, from, query, binds);
  return { rows: rows.flatMap(({ place }) => records[Number(place) - 1] ?? []), more };
}

const columnTypes: Readonly<Record<FieldKind, string>> = {
  text: 'text',
  id: 'text',
  number: 'numeric',
  boolean: 'boolean',
  time: 'timestamptz',
  list: 'text[]',
};

async function readPage<R extends object>(
  client: ControlClient,
  listing: Pick<Listing, 'table' | 'fields' | 'order'> & { readonly conditions: readonly string[] },
  query: ListQuery,
  binds: Binds,
): Promise<Page<R>> {
  const conditions = [
    ...listing.conditions,
    ...query.where.map((where) => conditionOf(where, listing.fields, binds)),
  ];
  const order = orderOf(listing, query.order);
  const { limit, offset } = query;
  const sql = `select * from ${listing.table} where ${conditions.join(' and ')}
     order by ${order} limit ${binds.add(limit + 1)} offset ${binds.add(offset)}`;
  try {
    const { rows } = await client.query<R>(sql, binds.values);
    return { rows: rows.slice(0, limit), more: rows.length > limit };
  } catch (error) {
    if (isSqlState(error, invalidRegularExpression, invalidEscape)) {
      throw fieldFault('where', 'has a pattern that is not valid');
    }
    throw error;
  }
}

const invalidRegularExpression = '2201B';
const invalidEscape = '22025';

/** The id last, so that pages neither overlap nor leave anything out. */
function orderOf({ fields, order }: RecordListing, asked: readonly Order[]): string {
  const chosen = asked.length === 0 ? order : asked;
  for (const { field } of chosen) {
    if (!Object.hasOwn(fields, field)) {
      throw fieldFault('order', `has no field ${field}; there are ${Object.keys(fields).join(', ')}`);
    }
  }
  return [...chosen.map(({ field, direction }) => `${field} ${direction}`), 'id'].join(', ');
}
