import { archivesWorkflow } from '../../client/restore-client.ts';
import { asIs, type FieldNaming, fieldError, parseRestoreInput } from '../../client/restore-input.ts';
import { toRestoreRequest } from '../../client/restore-request.ts';
import { configuredTables, findDatabase } from '../../config/database-config.ts';
import type { ThawConfig } from '../../config/thaw-config.ts';
import { isEnded } from '../../contract/progress.ts';
import type { RestoreRequest } from '../../contract/restore-request.ts';
import type { RunRequest } from '../../contract/run-request.ts';
import type { UndoExtent } from '../../contract/undo-request.ts';
import type { TablePreview } from '../../preview/restore-preview.ts';
import { isUndone } from '../../undo/kept-changes.ts';
import { demandAccess } from '../access.ts';
import type { Caller } from '../caller.ts';
import { toPreviewJson } from '../preview-json.ts';
import { changeOf, endLines } from '../run-change.ts';
import { type ArchivesFollowing, observeArchives, recordedArchives } from './archives-run.ts';
import type { PreviewHow, RunOwner, Source, SourceInput, SourceSettings } from './source.ts';
import { nothingKept, undoneAlready, undoRun } from './undo-run.ts';

/** What restores of archives need. */
export interface ArchivesDependencies extends ArchivesFollowing {
  readonly config: ThawConfig;
  /** Tells what a restore would do. */
  readonly preview: (request: RestoreRequest, how: PreviewHow) => Promise<readonly TablePreview[]>;
  /** Tells what there is to undo of a restore. @throws ThawError `InputInvalid` where nothing is kept of it */
  readonly extentOf: (request: RestoreRequest) => Promise<readonly UndoExtent[]>;
}

type ArchivesRequest = Extract<RunRequest, { sourceType: 'archives' }>;

/** Row archives: everything that `thaw restore` can do, by the same names. */
export function archivesSource(dependencies: ArchivesDependencies): Source<ArchivesRequest> {
  const { config, preview, findRecorded } = dependencies;
  const settings = (input: SourceInput, naming: FieldNaming): SourceSettings => {
    for (const [field, only] of Object.entries(bare)) refuseOther(field, Reflect.get(input, field), only);
    const options = input.options ?? {};
    for (const name of ['conflict_strategy', 'dry_run', 'detect_conflicts']) {
      if (name in options) throw fieldError(naming(name), 'does not belong here');
    }
    const request = requestOf({ ...input, options }, config, 'none', naming);
    return { ...bare, conflict_strategy: request.options.conflictStrategy, options };
  };
  return {
    settings: (input) => settings(input, inOptions),
    settingsOnce: ({ source_type: _, conflict_strategy: strategy, ...options }) =>
      settings(
        { ...(strategy === undefined ? {} : { conflict_strategy: strategy as string }), options },
        asIs,
      ),
    async request(saved, { runId, caller }) {
      const archives = requestOf(saved, config, runId, inOptions);
      demandSchema(caller, archives, config);
      return { sourceType: 'archives', archives };
    },
    workflow: ({ archives }) => archivesWorkflow(archives),
    preview: async ({ archives }, how) => toPreviewJson(archives, await preview(archives, how)),
    observe: (runId, description) => observeArchives(dependencies, runId, description),
    change: changeOf,
    lines: (run) => (isEnded(run.state) ? endLines(run) : []),
    recall: (runId) => recordedArchives(findRecorded, runId),
    undo: (request, owner, input) => undoOf(dependencies, request, owner, input),
  };
}

/** @throws ApiError `CONFLICT` with the reason where there is nothing to undo */
async function undoOf(
  { config, extentOf }: ArchivesDependencies,
  { archives }: ArchivesRequest,
  owner: RunOwner,
  input: unknown,
): Promise<RunRequest> {
  const { restoreId, database, options } = archives;
  const undo = undoRun(owner, { restoreId, database, config }, input);
  demandSchema(owner.caller, archives, config);
  if (!options.undoable) throw nothingKept('it was not asked for with "undoable": true');
  const extents = await extentOf(archives);
  if (extents.length === 0) throw nothingKept('it has changed no row');
  if (isUndone(extents)) throw undoneAlready();
  return undo;
}

/** Archives bring rows into tables that are there; which ones, their options say. */
const bare = {
  source_type: 'archives',
  source_ref: null,
  include: ['data'],
  models: null,
  create_models: false,
} as const;

/** Archives are those of all tenants: who is not root gets those of its own schema, and into it. @throws ApiError `FORBIDDEN` */
function demandSchema(caller: Caller, { database, tables }: RestoreRequest, config: ThawConfig): void {
  const asked = tables ?? configuredTables(findDatabase(config, database));
  const schemas = asked.flatMap(({ schema, intoSchema }) => [schema, intoSchema]);
  const foreign = schemas.find((schema) => schema !== caller.namespace);
  if (foreign !== undefined) demandAccess(caller, 'root', `The schema ${foreign}`);
}

/** A record that is sent back as it was read is taken. */
function refuseOther(field: string, value: unknown, only: unknown): void {
  if (value === undefined || JSON.stringify(value) === JSON.stringify(only)) return;
  throw fieldError(field, `must be ${JSON.stringify(only)} for archives, which are chosen by options`);
}

function inOptions(field: string): string {
  return field === 'conflict_strategy' ? field : `options.${field}`;
}

function requestOf(
  { conflict_strategy, options }: Pick<SourceInput, 'conflict_strategy' | 'options'>,
  config: ThawConfig,
  runId: string,
  naming: FieldNaming,
): RestoreRequest {
  const input = parseRestoreInput(withRestoreAll({ ...options, conflict_strategy }), naming);
  return toRestoreRequest(input, config, runId, { naming });
}

/** Who names tables and no archives asks for all of theirs: the command line would list them, the API restores. */
function withRestoreAll(input: object): object {
  const namesTables = 'table' in input || 'tables' in input;
  const saysWhich = 'restore_all' in input || 's3_key' in input || 's3_keys' in input;
  return namesTables && !saysWhich ? { ...input, restore_all: true } : input;
}
