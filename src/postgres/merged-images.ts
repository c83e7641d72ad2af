import type pg from 'pg';
import { qualifiedName, quoteIdentifier } from './identifier.ts';
import type { Differences } from './snapshot-differences.ts';
import type { FoundTable } from './snapshot-foreign-keys.ts';

/** A column whose value may not be in the stage. */
interface ColumnSource {
  readonly target: number;
  readonly name: string;
  readonly generated: boolean;
  /** Of the default, or of what is generated; null for none, and for what would take a number of a sequence. */
  readonly expression: string | null;
}

/** A table, and one whose rows are in it, or may be: itself, a partition, or a table that it is a partition of. */
interface Kinship {
  readonly table: number;
  readonly target: number;
  readonly partitioned: boolean;
  /** What rows of the target have to be like to be of the table; null: all are. */
  readonly condition: string | null;
}

/** What tables will hold once differences are merged, as queries on what they hold now. */
export class MergedImages {
  readonly #differences: ReadonlyMap<number, Differences>;
  readonly #sources: readonly ColumnSource[];
  readonly #kinships: readonly Kinship[];

  private constructor(
    differences: readonly Differences[],
    sources: readonly ColumnSource[],
    kinships: readonly Kinship[],
  ) {
    this.#differences = new Map(differences.map((one) => [one.staged.target.oid, one]));
    this.#sources = sources;
    this.#kinships = kinships;
  }

  /**
   * @param client in the transaction that has found the differences
   * @param tables that are to be asked for
   */
  static async read(
    client: pg.Client,
    differences: readonly Differences[],
    tables: readonly FoundTable[],
  ): Promise<MergedImages> {
    const targets = differences.map(({ staged }) => staged.target.oid);
    const { rows: sources } = await client.query<ColumnSource>(
      `select a.attrelid as target, a.attname as name, a.attgenerated <> '' as generated,
         case when pg_get_expr(d.adbin, d.adrelid) !~ 'nextval\\(' then pg_get_expr(d.adbin, d.adrelid) end as expression
       from pg_attribute a
       left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
       where a.attrelid = any($1::oid[]) and a.attnum > 0 and not a.attisdropped
       order by a.attnum`,
      [targets],
    );
    const { rows: kinships } = await client.query<Kinship>(
      `select c.oid as "table", target.oid as target, c.relkind = 'p' as partitioned,
         case when c.oid <> target.oid and down.relid is not null then pg_get_partition_constraintdef(c.oid) end as condition
       from pg_class c
       cross join unnest($2::oid[]) as target (oid)
       left join lateral (select relid from pg_partition_tree(target.oid) where relid = c.oid) as down on true
       left join lateral (select relid from pg_partition_ancestors(target.oid) where relid = c.oid) as up on true
       where c.oid = any($1::oid[]) and (c.oid = target.oid or down.relid is not null or up.relid is not null)`,
      [tables.map(({ oid }) => oid), targets],
    );
    return new MergedImages(differences, sources, kinships);
  }

  /** What a table will hold, as SQL of a `from` list; null: what it holds now. */
  of(table: FoundTable): string | null {
    const kin = this.#kinships.filter((one) => one.table === table.oid);
    const [first] = kin;
    if (first === undefined) return null;
    const columns = this.#sources
      .filter(({ target }) => target === first.target)
      .map(({ name }) => quoteIdentifier(name))
      .join(', ');
    const gone = kin.map(
      ({ target }) => `not exists (select from ${this.#of(target).table} as change
          where change.part = live.tableoid and change.live = live.ctid)`,
    );
    const only = first.partitioned ? '' : 'only ';
    const stays = `select ${columns} from ${only}${qualifiedName(table.schema, table.table)} as live
      where ${gone.join(' and ')}`;
    const comes = kin.map(
      ({ target, condition }) =>
        `select ${columns} from ${this.#rows(target)} as incoming${condition === null ? '' : ` where ${condition}`}`,
    );
    return `(${[stays, ...comes].join(' union all ')})`;
  }

  /** Rows that a merge inserts, those included that it takes away before, since values of unique indexes change. */
  brought(target: number): string {
    return this.#rows(target, "(change.kind = 'insert' or change.moves)");
  }

  /** Rows that a merge inserts, or what it makes of others, with all their columns, as SQL of a `from` list. */
  #rows(target: number, which = "change.kind in ('insert', 'update')"): string {
    const { staged, table, kept } = this.#of(target);
    const own = this.#sources.filter((source) => source.target === target);
    const given = staged.columns.map(({ name }) => `staged.${quoteIdentifier(name)}`);
    const left = kept.map(({ name, typeName }, index) => {
      const value = own.find((source) => source.name === name)?.expression ?? 'null';
      return `case change.kind when 'update' then change.kept_${index} else (${value})::${typeName} end as ${quoteIdentifier(name)}`;
    });
    const computed = own
      .filter(({ generated }) => generated)
      .map(({ name, expression }) => `${expression ?? 'null'} as ${quoteIdentifier(name)}`);
    return `(select ${['base.*', ...computed].join(', ')} from (
        select ${[...given, ...left].join(', ')}
        from ${table} as change
        join ${qualifiedName(staged.stage.schema, staged.stage.table)} as staged on staged.ctid = change.staged
        where ${which}) as base)`;
  }

  #of(target: number): Differences {
    const differences = this.#differences.get(target);
    if (differences === undefined) throw new TypeError(`no differences of table ${target}`);
    return differences;
  }
}
