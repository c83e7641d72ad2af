import type { ArchiveColumn } from '../archive/column-type.ts';
import type { ArchivedSchema } from '../archive/metadata.ts';
import type { LoadInput } from '../contract/activities.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { TargetTable } from '../postgres/catalog.ts';
import { archivedNames, checkSchemaPlan, planSchema, type SchemaOptions } from '../restore/schema-plan.ts';
import { isAboutArchive } from './archive-error.ts';
import type { ArchiveReader } from './archive-reader.ts';
import { writtenColumns } from './written-columns.ts';

/** Tells for each archive of a load what its columns are fed with. */
export class ColumnFeed {
  readonly #target: TargetTable;
  readonly #options: SchemaOptions;
  /** That the archives are of; a folder may hold some of another one too. */
  readonly #schema: string;
  readonly #reader: ArchiveReader;
  /** Read so far, by archive; the archiver writes a schema with the first batch of a run only. */
  readonly #schemas = new Map<number, ArchivedSchema | null>();

  constructor(target: TargetTable, { options, scope }: LoadInput, reader: ArchiveReader) {
    this.#target = target;
    this.#options = options;
    this.#schema = scope.table.schema;
    this.#reader = reader;
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
   * @param own the archive's own schema; without it, that of the nearest archive before it in the load holds
   * @throws ThawError `SchemaIncompatible` for what the strategy does not allow, and of the store
   */
  async columnsOf(index: number, own: ArchivedSchema | null): Promise<ArchiveColumn[]> {
    this.#schemas.set(index, own);
    const schema = await this.#schemaOf(index);
    const plan = planSchema(schema, this.#target.columns, this.#options);
    checkSchemaPlan(plan, this.#reader.keyAt(index), this.#options);
    const readAs = new Map(plan.columns.map((column) => [column.column, column.readAs]));
    return writtenColumns(this.#target).map(({ name, type }) => {
      return { name, key: archivedNames(name, this.#options), type: readAs.get(name) ?? type };
    });
  }

  async #schemaOf(index: number): Promise<ArchivedSchema | null> {
    for (let place = index; place >= 0; place--) {
      if (!this.#schemas.has(place)) this.#schemas.set(place, await this.#read(place));
      const schema = this.#schemas.get(place) ?? null;
      if (schema !== null) return schema;
    }
    return null;
  }

  /** The schema beside an archive that this load does not read itself; its own faults are told where it is read. */
  async #read(index: number): Promise<ArchivedSchema | null> {
    try {
      const metadata = await this.#reader.metadata(index);
      return metadata?.schema === this.#schema ? metadata.tableSchema : null;
    } catch (error) {
      if (error instanceof ThawError && isAboutArchive(error)) return null;
      throw error;
    }
  }
}
