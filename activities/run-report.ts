import type { BundleTally } from '../src/contract/bundle-activities.ts';
import type { ControlDatabase } from '../src/control/control-database.ts';
import { type RunCounts, updateRun } from '../src/control/runs.ts';

/** Milliseconds between two reports of one activity: small models take less. */
const interval = 300;
/** Milliseconds of reading one model after which the run tells of it. */
const readingInterval = 1_000;

/** What was made of models. */
export interface MadeCounts {
  readonly modelsCreated: number;
  readonly fieldsCreated: number;
}

/**
 * Writes into the control database that the models are made: 25 percent.
 *
 * @param committed whether they are in the database to stay; else only the progress tells of them
 */
export async function reportDescribed(
  control: ControlDatabase,
  runId: string,
  counts: MadeCounts,
  committed: boolean,
): Promise<void> {
  await control.use((client) =>
    updateRun(client, runId, {
      state: 'running',
      progress: 25,
      progressDetail: {
        phase: 'imported_describe',
        models_created: counts.modelsCreated,
        fields_created: counts.fieldsCreated,
      },
      ...(committed ? { counts } : {}),
    }),
  );
}

/** Writes into the control database how far the data of a bundle is imported: from 25 to 99 percent. */
export class RunReport {
  readonly #control: ControlDatabase;
  readonly #runId: string;
  readonly #filesTotal: number;
  #tally: BundleTally;
  #writtenAt = 0;
  #reading = { model: '', records: 0, since: 0 };

  /** @param tally of what was imported before */
  constructor(control: ControlDatabase, runId: string, filesTotal: number, tally: BundleTally) {
    this.#control = control;
    this.#runId = runId;
    this.#filesTotal = filesTotal;
    this.#tally = tally;
  }

  /** Models are read, or read once more, from their beginning. */
  begin(): void {
    this.#reading = { model: '', records: 0, since: 0 };
  }

  /** Counts records as they are read: a large model would seem to stand still until it is imported. */
  async reading(model: string, records: number): Promise<void> {
    const now = Date.now();
    if (model !== this.#reading.model) this.#reading = { model, records: 0, since: now };
    this.#reading.records += records;
    if (now - Math.max(this.#reading.since, this.#writtenAt) < readingInterval) return;
    await this.#write(model, false, { records_read: this.#reading.records });
  }

  /**
   * @param model that was imported last
   * @param committed whether the records are in the database to stay; else only the progress tells of them
   */
  async importing(model: string, tally: BundleTally, committed: boolean): Promise<void> {
    this.#tally = tally;
    if (Date.now() - this.#writtenAt < interval) return;
    await this.#write(model, committed);
  }

  /** The last report of an activity, which is not left out. */
  async imported(tally: BundleTally): Promise<void> {
    this.#tally = tally;
    await this.#write(null, true);
  }

  async #write(
    model: string | null,
    committed: boolean,
    more: Readonly<Record<string, number>> = {},
  ): Promise<void> {
    const tally = this.#tally;
    const share = this.#filesTotal === 0 ? 1 : tally.files / this.#filesTotal;
    await this.#control.use((client) =>
      updateRun(client, this.#runId, {
        state: 'running',
        progress: Math.min(99, 25 + Math.floor(share * 75)),
        progressDetail: {
          phase: 'importing_data',
          files_total: this.#filesTotal,
          files_completed: tally.files,
          current_model: model,
          records_imported: tally.inserted,
          records_skipped: tally.skipped,
          ...more,
        },
        ...(committed ? { counts: countsOf(tally) } : {}),
      }),
    );
    this.#writtenAt = Date.now();
  }
}

/** Counts in the words of the control database. */
export function countsOf(tally: BundleTally): Partial<RunCounts> {
  return {
    recordsImported: tally.inserted,
    recordsUpdated: tally.updated,
    recordsSkipped: tally.skipped,
    recordsDeleted: tally.deleted,
  };
}
