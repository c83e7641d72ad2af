import { compareArchiveOrder, inArchiveOrder } from '../archive/key.ts';
import type { ArchivedSchema } from '../archive/metadata.ts';
import type { SchemaMark } from '../restore/schema-migration.ts';

/** Which schema holds for which archive: each from the archive that it was written with until the next. */
export class SchemaTimeline {
  readonly #marks: SchemaMark[];

  constructor(marks: readonly SchemaMark[]) {
    this.#marks = inArchiveOrder(marks, ({ key }) => key);
  }

  /** Adds the schema that lies beside an archive. */
  add(mark: SchemaMark): void {
    const place = this.#until(mark.key);
    const isKnown = this.#marks[place - 1]?.key === mark.key;
    this.#marks.splice(isKnown ? place - 1 : place, isKnown ? 1 : 0, mark);
  }

  /** The schema of an archive: its own, or that of the nearest one before it; null where none is known. */
  at(key: string): ArchivedSchema | null {
    return this.#marks[this.#until(key) - 1]?.schema ?? null;
  }

  /** How many marks there are up to an archive. */
  #until(key: string): number {
    let least = 0;
    let most = this.#marks.length;
    while (least < most) {
      const middle = (least + most) >> 1;
      const isBehind = compareArchiveOrder(this.#marks[middle]?.key ?? '', key) > 0;
      if (isBehind) most = middle;
      else least = middle + 1;
    }
    return least;
  }
}
