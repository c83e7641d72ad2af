import { randomBytes } from 'node:crypto';
import { type FieldNaming, fieldError } from '../client/restore-input.ts';
import { parseSource, sourceText } from '../client/snapshot-source.ts';
import type { SnapshotTableName } from '../contract/snapshot.ts';
import type { ControlDatabase } from '../control/control-database.ts';
import { deleteUpload, insertUpload, readUpload, type UploadRow } from '../control/uploads.ts';
import { selectionKey } from '../snapshot/container/snapshot-keys.ts';
import type { SnapshotPlace } from '../snapshot/container/stored-snapshots.ts';
import { inspectSelection, type SelectionSummary, storeSelection } from '../snapshot/merge/selection.ts';
import { ApiError } from './api-error.ts';
import type { BundleSettings } from './bundle-settings.ts';
import type { Caller } from './caller.ts';
import type { SnapshotChoice } from './snapshot-choices.ts';
import type { RunPlace } from './sources/source.ts';

/** What keeping selections takes. */
export interface SelectionsDependencies {
  readonly control: ControlDatabase;
  readonly place: SnapshotPlace;
  readonly settings: Pick<BundleSettings, 'uploadKeep'>;
}

/** A selection that is kept. */
export interface KeptSelection extends SelectionSummary {
  readonly upload: UploadRow;
}

/** Marked differences that were sent: those that are marked lie in the store, as uploads do. */
export class Selections {
  readonly #dependencies: SelectionsDependencies;

  constructor(dependencies: SelectionsDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Keeps what is marked in a diff.
   *
   * @param ref the snapshot that it is of
   * @throws ThawError `InputInvalid` where it is no diff of that snapshot, or nothing in it is marked
   */
  async keep(ref: string, chunks: AsyncIterable<Uint8Array>, caller: Caller): Promise<KeptSelection> {
    const { control, place, settings } = this.#dependencies;
    const id = randomBytes(16).toString('hex');
    const key = selectionKey(place.prefix, id);
    const { tenant, subject } = caller;
    const about = { id, tenant, filename: null, bytes: 0, sha256: '', key, created_by: subject };
    // Before its bytes: what a crash leaves in the store is known, and removed in time.
    const upload = await control.use((client) => insertUpload(client, about, settings.uploadKeep));
    try {
      await storeSelection(place, id, chunks);
      const summary = await this.#inspect(key);
      refuseOther(summary, ref, summary.header.database, 'the body');
      return { ...summary, upload };
    } catch (error) {
      await place.store.remove(key).catch(() => {});
      await control.use((client) => deleteUpload(client, id)).catch(() => {});
      throw error;
    }
  }

  /**
   * The marked differences that a restore takes, and their tables.
   *
   * @throws ApiError `RECORD_NOT_FOUND` where the tenant has none of that id (any more)
   * @throws ThawError `InputInvalid` for one of another snapshot or database
   */
  async find(
    id: string,
    { source, database }: SnapshotChoice,
    { tenant, ask }: Pick<RunPlace, 'tenant' | 'ask'>,
    naming: FieldNaming,
  ): Promise<{ readonly key: string; readonly tables: readonly SnapshotTableName[] }> {
    const key = selectionKey(this.#dependencies.place.prefix, id);
    const upload = await ask((client) => readUpload(client, id, tenant));
    if (upload?.key !== key) throw selectionNotFound(id);
    const summary = await this.#inspect(key);
    refuseOther(summary, sourceText(source), database, naming('selection'));
    return { key, tables: summary.tables };
  }

  async #inspect(key: string): Promise<SelectionSummary> {
    const { chunks } = await this.#dependencies.place.store.open(key);
    return inspectSelection(chunks);
  }
}

function refuseOther({ header }: SelectionSummary, ref: string, database: string, field: string): void {
  const { source } = header;
  if (header.database === database && sourceText(source) === ref && parseSource(ref).kind === source.kind)
    return;
  throw fieldError(field, `is a diff of ${sourceText(source)} and the database ${header.database}`);
}

function selectionNotFound(id: string): ApiError {
  return new ApiError('RECORD_NOT_FOUND', `There is no selection ${id} (any more).`, {
    hint: 'Send the marked diff with POST /api/snapshots/{id}/selections, and use the id that it answers with.',
  });
}
