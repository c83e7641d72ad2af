/**
 * The type of a target column, resolved as far as encoding needs it: domains are replaced by their
 * base types, arrays, ranges and composites name what they are made of. Built from the catalog by
 * src/postgres/types.ts; encoders are chosen by it and by nothing else.
 */
export type ColumnType =
  /** A base type by its `pg_type.typname`, such as `int8`, `timestamptz`, `jsonb`. Types of extensions too (`hstore`, `citext`). */
  | { readonly kind: 'scalar'; readonly name: string }
  | { readonly kind: 'enum'; readonly name: string }
  /** `delimiter` is `pg_type.typdelim`: `;` for box, `,` for everything else. */
  | {
      readonly kind: 'array';
      readonly name: string;
      readonly element: ColumnType;
      readonly delimiter: string;
    }
  | { readonly kind: 'range'; readonly name: string; readonly subtype: ColumnType }
  | { readonly kind: 'multirange'; readonly name: string; readonly subtype: ColumnType }
  | {
      readonly kind: 'composite';
      readonly name: string;
      readonly fields: readonly { readonly name: string; readonly type: ColumnType }[];
    };

/** A column that rows may be written to: its name in the table and in archives. */
export interface ArchiveColumn {
  /** Name in the target table. */
  readonly name: string;
  /** Key in the archive's records, or all that it may have there; with none the column keeps its default. */
  readonly key: string | readonly string[];
  readonly type: ColumnType;
}
