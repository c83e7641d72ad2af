import type { ArchiveColumn } from '../archive/column-type.ts';
import type { ArchivedSchema } from '../archive/metadata.ts';
import type { LoadInput } from '../contract/activities.ts';
import type { TargetTable } from '../postgres/catalog.ts';
import type { SchemaMark } from '../restore/schema-migration.ts';
import { archivedNames, checkSchemaPlan, planSchema, type SchemaOptions } from '../restore/schema-plan.ts';
import type { ArchiveReader } from './archive-reader.ts';
import { SchemaTimeline } from './schema-timeline.ts';
import { writtenColumns } from './written-columns.ts';

/** Tells for each archive of a load what its columns are fed with. */
export class ColumnFeed {
  readonly #target: TargetTable;
  readonly #options: SchemaOptions;
  readonly #reader: ArchiveReader;
  readonly #schemas: SchemaTimeline;

  /** @param schemas that the restore has found; those of the load's archives need not be among them */
  constructor(
    target: TargetTable,
    { options }: LoadInput,
    reader: ArchiveReader,
    schemas: readonly SchemaMark[],
  ) {
    this.#target = target;
    this.#options = options;
    this.#reader = reader;
    this.#schemas = new SchemaTimeline(schemas);
  }

  /** Keys that are passed over without being counted: PostgreSQL computes their columns, and COPY refuses them. */
  get ignoredKeys(): ReadonlySet<string> {
    const generated = this.#target.columns.filter((column) => column.generated !== null);
    return new Set(generated.flatMap(({ name }) => [name, ...archivedNames(name, this.#options)]));
  }

  /**
   * All writable columns of the table, in its order, each with the keys and the type that an archive feeds it by.
   *
   * @param index place in the load
   * @param own the archive's own schema; without it, that of the nearest archive before it holds
   * @throws ThawError `SchemaIncompatible` for what the strategy does not allow
   */
  columnsOf(index: number, own: ArchivedSchema | null): ArchiveColumn[] {
    const key = this.#reader.keyAt(index);
    if (own !== null) this.#schemas.add({ key, schema: own });
    const plan = planSchema(this.#schemas.at(key), this.#target.columns, this.#options);
    checkSchemaPlan(plan, key, this.#options);
    const readAs = new Map(plan.columns.map((column) => [column.column, column.readAs]));
    return writtenColumns(this.#target).map(({ name, type }) => {
      return { name, key: archivedNames(name, this.#options), type: readAs.get(name) ?? type };
    });
  }
}
