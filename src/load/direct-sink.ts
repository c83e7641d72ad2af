import type pg from 'pg';
import type { CopyPiece } from '../archive/copy-piece.ts';
import type { ColumnNote, RowCounts } from '../contract/outcome.ts';
import type { TargetColumn, TargetTable } from '../postgres/catalog.ts';
import { Copy } from '../postgres/copy.ts';
import { qualifiedName } from '../postgres/identifier.ts';
import { CopyRun } from './copy-run.ts';
import { pick } from './picked-columns.ts';
import type { Sink } from './sink.ts';

/** COPY straight into the target: right as long as no key is there already. */
export class DirectSink implements Sink {
  readonly #run: CopyRun;
  readonly #rows = new Map<number, number>();
  /** The end of a COPY checks foreign keys: a row must not find its parent in an archive behind its own. */
  readonly #endsWithArchive: boolean;

  constructor(client: pg.Client, target: TargetTable, columns: readonly TargetColumn[]) {
    const table = qualifiedName(target.schema, target.table);
    this.#endsWithArchive = target.selfReferences.length > 0;
    this.#run = new CopyRun(
      async (indexes) =>
        new Copy(
          client,
          table,
          pick(columns, indexes).map(({ name }) => name),
        ),
    );
  }

  async write(archive: number, piece: CopyPiece): Promise<void> {
    if (this.#endsWithArchive && !this.#rows.has(archive)) await this.#run.finish();
    this.#rows.set(archive, (this.#rows.get(archive) ?? 0) + piece.rows);
    await this.#run.write(piece);
  }

  async flush(): Promise<void> {
    await this.#run.finish();
  }

  leftOut(): readonly ColumnNote[] {
    return [];
  }

  /** See {@link CopyRun.lineOf}. */
  lineOf(line: number): number {
    return this.#run.lineOf(line);
  }

  async merge(): Promise<ReadonlyMap<number, RowCounts>> {
    return new Map(
      [...this.#rows].map(([archive, inserted]) => [
        archive,
        { inserted, updated: 0, skipped: 0, failed: 0 },
      ]),
    );
  }

  async abandon(): Promise<void> {
    await this.#run.abandon();
  }
}
