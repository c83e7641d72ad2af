import type pg from 'pg';
import { type ColumnPair, columnPairsSql, samePairsSql } from './dangling-rows.ts';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import type { TouchingKey } from './snapshot-foreign-keys.ts';

/** Rows that break a foreign key, by what tells them apart and nothing else of them. */
export interface KeyViolations {
  readonly key: TouchingKey;
  /** Of the primary key; where there is none, those that refer. */
  readonly columns: readonly string[];
  /** As text, in the order of the columns; null: NULL. */
  readonly rows: readonly (readonly (string | null)[])[];
  /** There are more than these. */
  readonly more: boolean;
}

/** What stands for the tables of a key, as SQL of a `from` list; null: they themselves. */
export interface KeyImages {
  readonly child: string | null;
  readonly parent: string | null;
}

const themselves: KeyImages = { child: null, parent: null };

interface KeyShape {
  readonly pairs: readonly ColumnPair[];
  readonly matchFull: boolean;
  readonly rowKey: readonly string[] | null;
  readonly childPartitioned: boolean;
  readonly parentPartitioned: boolean;
}

/** Looks for rows that break a key. It is read while the key is there, and may be asked once it is dropped. */
export class KeyCheck {
  readonly key: TouchingKey;
  readonly #shape: KeyShape;

  private constructor(key: TouchingKey, shape: KeyShape) {
    this.key = key;
    this.#shape = shape;
  }

  static async read(client: pg.Client, key: TouchingKey): Promise<KeyCheck> {
    return new KeyCheck(key, await readShape(client, key.oid));
  }

  /** Counts rows that break the key now, for {@link grown}: until the transaction ends, in a temporary table. */
  async remember(client: pg.Client): Promise<void> {
    await client.query(
      `create temporary table ${this.remembered} on commit drop as ${this.#counts(themselves)}`,
    );
  }

  /** Rows that refer to what is not there, where they are more than at {@link remember}. Null: there are none. */
  async grown(client: pg.Client, most: number): Promise<KeyViolations | null> {
    return this.#more(client, most, this.#counts(themselves), this.remembered);
  }

  /** Likewise, where they would be more in the images than they are. */
  async grownTo(client: pg.Client, most: number, images: KeyImages): Promise<KeyViolations | null> {
    return this.#more(client, most, this.#counts(images), `(${this.#counts(themselves)})`);
  }

  async #more(client: pg.Client, most: number, now: string, before: string): Promise<KeyViolations | null> {
    const { rows } = await client.query<{ readonly tuple: (string | null)[] }>(
      `select now.tuple from (${now}) as now
       left join ${before} as before using (tuple)
       where now.rows > coalesce(before.rows, 0)
       order by now.tuple limit $1`,
      [most + 1],
    );
    const columns = this.#shape.pairs.map(({ child }) => child);
    return bounded(this.key, columns, rows, most);
  }

  /** Rows that break the key, those of before it was made included where it is not validated. Null: there are none. */
  async violations(
    client: pg.Client,
    most: number,
    images: KeyImages = themselves,
  ): Promise<KeyViolations | null> {
    const { pairs, rowKey } = this.#shape;
    const columns = rowKey ?? pairs.map(({ child }) => child);
    const { rows } = await client.query<{ readonly tuple: (string | null)[] }>(
      `select distinct ${textsSql(columns)} as tuple ${violationsSql(this.key, this.#shape, images)} order by 1 limit $1`,
      [most + 1],
    );
    return bounded(this.key, columns, rows, most);
  }

  private get remembered(): string {
    return `pg_temp.thaw_key_${this.key.oid}`;
  }

  #counts(images: KeyImages): string {
    const { pairs } = this.#shape;
    const tuple = textsSql(pairs.map(({ child }) => child));
    return `select ${tuple} as tuple, count(*) as rows ${violationsSql(this.key, this.#shape, images)} group by 1`;
  }
}

function bounded(
  key: TouchingKey,
  columns: readonly string[],
  rows: readonly { readonly tuple: (string | null)[] }[],
  most: number,
): KeyViolations | null {
  if (rows.length === 0) return null;
  return { key, columns, rows: rows.slice(0, most).map(({ tuple }) => tuple), more: rows.length > most };
}

/** `match full` refuses a row of which only some columns are null; otherwise such a row refers to nothing. */
function violationsSql({ child, parent }: TouchingKey, shape: KeyShape, images: KeyImages): string {
  const { pairs, matchFull, childPartitioned, parentPartitioned } = shape;
  const columns = pairs.map((pair) => `child.${quoteIdentifier(pair.child)}`).join(', ');
  const name = ({ schema, table }: TouchingKey['child'], isPartitioned: boolean) =>
    `${isPartitioned ? '' : 'only '}${qualifiedName(schema, table)}`;
  const missing = `not exists (
    select from ${images.parent ?? name(parent, parentPartitioned)} as parent
    where ${samePairsSql(pairs)})`;
  const breaks = matchFull
    ? `num_nonnulls(${columns}) > 0 and (num_nulls(${columns}) > 0 or ${missing})`
    : `num_nulls(${columns}) = 0 and ${missing}`;
  return `from ${images.child ?? name(child, childPartitioned)} as child where ${breaks}`;
}

function textsSql(columns: readonly string[]): string {
  return `array[${columns.map((column) => `child.${quoteIdentifier(column)}::text`).join(', ')}]`;
}

async function readShape(client: pg.Client, oid: number): Promise<KeyShape> {
  const { rows } = await client.query<KeyShape>(
    `select ${columnPairsSql} as pairs, k.confmatchtype = 'f' as "matchFull",
       child.relkind = 'p' as "childPartitioned", parent.relkind = 'p' as "parentPartitioned",
       (select json_agg(a.attname order by place)
        from pg_index i
        cross join unnest(i.indkey) with ordinality as part (attnum, place)
        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = part.attnum
        where i.indrelid = k.conrelid and i.indisprimary) as "rowKey"
     from pg_constraint k
     join pg_class child on child.oid = k.conrelid
     join pg_class parent on parent.oid = k.confrelid
     where k.oid = $1`,
    [oid],
  );
  const [shape] = rows;
  if (shape === undefined) throw new Error(`there is no constraint of oid ${oid}`);
  return shape;
}
