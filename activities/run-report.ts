import type { BundleTally } from '../src/contract/bundle-activities.ts';
import type { ControlDatabase } from '../src/control/control-database.ts';
import { type RunCounts, updateRun } from '../src/control/runs.ts';

/** Milliseconds between two reports of one activity: small models take less. */
const interval = 300;

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
  #writtenAt = 0;

  constructor(control: ControlDatabase, runId: string, filesTotal: number) {
    this.#control = control;
    this.#runId = runId;
    this.#filesTotal = filesTotal;
  }

  /**
   * @param model that was imported last
   * @param committed whether the records are in the database to stay; else only the progress tells of them
   */
  async importing(model: string, tally: BundleTally, committed: boolean): Promise<void> {
    if (Date.now() - this.#writtenAt < interval) return;
    await this.#write(model, tally, committed);
  }

  /** The last report of an activity, which is not left out. */
  async imported(tally: BundleTally): Promise<void> {
    await this.#write(null, tally, true);
  }

  async #write(model: string | null, tally: BundleTally, committed: boolean): Promise<void> {
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
