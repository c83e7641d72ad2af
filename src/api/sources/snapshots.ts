import { type FieldNaming, fieldError, parseInput } from '../../client/restore-input.ts';
import { snapshotRestoreWorkflow } from '../../client/snapshot-restore-client.ts';
import { toSnapshotRestore } from '../../client/snapshot-restore-request.ts';
import { snapshotUndo } from '../../client/snapshot-undo.ts';
import type { ThawConfig } from '../../config/thaw-config.ts';
import type { RunRequest } from '../../contract/run-request.ts';
import type { SnapshotRequest, SnapshotTableName, TenantPart } from '../../contract/snapshot.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { nameOf } from '../../snapshot/order/table-order.ts';
import { demandAccess } from '../access.ts';
import { ApiError } from '../api-error.ts';
import type { Caller } from '../caller.ts';
import type { SnapshotChoices } from '../snapshot-choices.ts';
import type { SnapshotLooks } from '../snapshot-looks.ts';
import { toSnapshotPreviewJson } from '../snapshot-preview-json.ts';
import type { Selections } from '../snapshot-selections.ts';
import { snapshotUndoInput } from '../undo-input.ts';
import { namings, plainSettings, refuseOthers, takenApart } from './plain-settings.ts';
import { readSnapshotSettings } from './snapshot-settings.ts';
import {
  observeSnapshot,
  recalledSnapshot,
  type SnapshotsFollowing,
  snapshotChange,
  snapshotLines,
} from './snapshots-run.ts';
import type { RunOwner, Source, SourceInput, SourceSettings } from './source.ts';
import { nothingKept, undoneAlready } from './undo-run.ts';

/** What restores of snapshots need. */
export interface SnapshotSourceDependencies extends SnapshotsFollowing {
  readonly config: ThawConfig;
  readonly snapshotChoices: Pick<SnapshotChoices, 'partOf' | 'choose'>;
  readonly snapshotSelections: Pick<Selections, 'find'>;
  readonly snapshotLooks: Pick<SnapshotLooks, 'preview'>;
  /** Refuses a restore where the tenant has begun too many. @throws ThawError `TooManyRestores` */
  readonly admitSnapshot: (runId: string, database: string, tenant: TenantPart | null) => Promise<void>;
}

type SnapshotRunRequest = Extract<RunRequest, { sourceType: 'snapshot' }>;

/** Seconds without a sign of life after which the work of a worker is given to another. */
const heartbeatSeconds = 20;

/** Snapshots: what `thaw snapshot restore` can do. */
export function snapshotSource(dependencies: SnapshotSourceDependencies): Source<SnapshotRunRequest> {
  const { config, snapshotChoices: choices, snapshotSelections: selections } = dependencies;
  const settings = (input: SourceInput, caller: Caller, naming: FieldNaming): SourceSettings => {
    refuseOthers(plain, input, 'snapshots');
    const { options = {} } = input;
    const { ref, strategy, given } = readSnapshotSettings(input, naming);
    // Saved with it, so that whoever runs it later, as root may, restores no more than who has saved it could.
    const where = choices.partOf(caller, given.where, naming);
    return {
      ...plain,
      ...{ source_ref: ref, conflict_strategy: strategy },
      options: where === null ? options : { ...options, where },
    };
  };
  return {
    settings: (input, caller) => settings(input, caller, namings.saved),
    settingsOnce: (body, caller) => settings(takenApart(body), caller, namings.once),

    async request(saved, { runId, caller }, place) {
      const { ref, strategy, given } = readSnapshotSettings(saved, namings.saved);
      if (!place.isPlan && !given.confirm) throw unconfirmed();
      // Whatever may delete rows.
      if (strategy !== 'merge') demandAccess(caller, 'full', `The strategy ${strategy}`);
      const { namespace } = place;
      const choice = await choices.choose(ref, given, { ...caller, namespace }, namings.saved);
      const selection =
        given.selection === undefined
          ? null
          : await selections.find(given.selection, choice, place, namings.saved);
      if (!place.isPlan) await dependencies.admitSnapshot(runId, choice.database, choice.tenant);
      const input = {
        ...{ ...choice, strategy, again: given.again, preSnapshot: given.pre_snapshot },
        tables: given.tables === undefined && selection !== null ? marked(selection, choice) : choice.tables,
        selection: selection?.key ?? null,
        ...{ ifUnchanged: given.if_unchanged ?? null, reason: given.reason, by: caller.subject },
      };
      return { sourceType: 'snapshot', snapshot: toSnapshotRestore(config, input, runId, heartbeatSeconds) };
    },

    workflow: ({ snapshot }) => snapshotRestoreWorkflow(snapshot),

    preview: async ({ snapshot }, { signal }) => {
      const { by, selection, database } = snapshot;
      const preview = await dependencies.snapshotLooks.preview(by, snapshot, { selection }, signal);
      return toSnapshotPreviewJson(database, preview);
    },

    observe: (runId, description) => observeSnapshot(dependencies, runId, description),
    change: snapshotChange,
    lines: snapshotLines,
    recall: (runId) => recalledSnapshot(dependencies, runId),
    undo: ({ snapshot }, owner, input) => undoOf(dependencies, snapshot.restoreId, owner, input),
  };
}

/** What was there before comes back as it was taken: of whose rows it is, is said by the run that it undoes. */
async function undoOf(
  { config, findSnapshotRestore }: SnapshotSourceDependencies,
  undoes: string,
  { runId, caller }: RunOwner,
  input: unknown,
): Promise<RunRequest> {
  const {
    reason = null,
    force = false,
    pre_snapshot: preSnapshot = true,
  } = parseInput(snapshotUndoInput, input);
  demandAccess(caller, 'full', 'An undo of a restore of a snapshot');
  const restore = await findSnapshotRestore(undoes);
  if (restore === null) throw nothingKept('it has begun nothing');
  if (restore.undoneAt !== null) throw undoneAlready();
  try {
    const asked = snapshotUndo(restore, { force, preSnapshot, reason, by: caller.subject });
    return { sourceType: 'snapshot', snapshot: toSnapshotRestore(config, asked, runId, heartbeatSeconds) };
  } catch (error) {
    if (!(error instanceof ThawError)) throw error;
    throw new ApiError('CONFLICT', error.message, { hint: error.hint, cause: error });
  }
}

/** Nothing else is to be staged and locked; what the caller may not have is not among them. */
function marked(
  selection: { readonly tables: readonly SnapshotTableName[] },
  { tables }: Pick<SnapshotRequest, 'tables'>,
): readonly SnapshotTableName[] {
  if (tables === null) return selection.tables;
  const names = new Set(selection.tables.map(nameOf));
  return tables.filter((table) => names.has(nameOf(table)));
}

const { conflict_strategy: _, ...plain } = plainSettings('snapshot');

function unconfirmed() {
  const hint = 'See what it would do with "dry_run": true; then send "confirm": true.';
  return fieldError('confirm', 'must be true, as rows are changed and may be deleted', undefined, hint);
}
