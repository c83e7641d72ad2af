import { z } from 'zod';
import { endLine } from '../../bundle/import-log.ts';
import { type AllowedPlaces, parseSourceUrl, tokenVariable } from '../../bundle/source-url.ts';
import type { RestoreClient } from '../../client/restore-client.ts';
import { fieldError, must, parseInput } from '../../client/restore-input.ts';
import { fingerprint } from '../../config/fingerprint.ts';
import type { ThawConfig } from '../../config/thaw-config.ts';
import { workflowTypes } from '../../contract/names.ts';
import { isEnded } from '../../contract/progress.ts';
import {
  type BundleRequest,
  type BundleSource,
  bundleParts,
  bundleStrategies,
  type RunRequest,
} from '../../contract/run-request.ts';
import { summaryText } from '../../restore/clip.ts';
import type { UndoStanding } from '../../undo/kept-changes.ts';
import { demandAccess } from '../access.ts';
import type { BundleSettings } from '../bundle-settings.ts';
import { findExtracted } from '../extract-runs.ts';
import { bareRun, runOfProgress } from '../run.ts';
import { findUpload } from '../uploads.ts';
import type { RunOwner, RunPlace, Source, SourceInput, SourceSettings } from './source.ts';
import { nothingKept, undoneAlready, undoRun } from './undo-run.ts';

type BundleRunRequest = Extract<RunRequest, { readonly bundle: unknown }>;

/** What restores of bundles need. */
export interface BundlesDependencies {
  readonly config: ThawConfig;
  readonly restores: Pick<RestoreClient, 'progress' | 'outcome'>;
  /** What URLs may name besides the internet at large. */
  readonly allowedUrls: AllowedPlaces;
  readonly bundles: Pick<BundleSettings, 'databaseOf'>;
  /** Tells whether there is anything to undo of an import. @throws ThawError `InputInvalid` where it is not known */
  readonly standingOf: (request: Pick<BundleRequest, 'database' | 'restoreId'>) => Promise<UndoStanding>;
}

/** Finds the bundle that a `source_ref` names. */
type FindBundle = (ref: string, place: RunPlace, token: string | undefined) => Promise<BundleSource>;

/** Bundles that were sent to the API. */
export function uploadSource(dependencies: BundlesDependencies): Source<BundleRunRequest> {
  return bundleSource('upload', dependencies, async (ref, { ask, tenant }) => {
    const { key, sha256, filename } = await ask((client) => findUpload(client, ref, tenant));
    return { kind: 'stored', key, sha256, filename: filename ?? 'bundle.zip' };
  });
}

/** Bundles that extracts have written. */
export function extractRunSource(dependencies: BundlesDependencies): Source<BundleRunRequest> {
  return bundleSource('extract_run', dependencies, async (ref, { ask, tenant }) => {
    const { key, sha256, filename } = await ask((client) => findExtracted(client, ref, tenant));
    return { kind: 'stored', key, sha256, filename };
  });
}

/** Bundles at https and S3 URLs, which a worker fetches. */
export function urlSource(dependencies: BundlesDependencies): Source<BundleRunRequest> {
  return bundleSource('url', dependencies, async (ref, _, token) => {
    parseSourceUrl(ref, dependencies.allowedUrls);
    return { kind: 'url', url: ref, tokenVariable: token === undefined ? null : tokenVariable(token) };
  });
}

/** Bundles, wherever their bytes are: models and records of a namespace. Its workflow writes how it goes by itself. */
function bundleSource(
  type: BundleRunRequest['sourceType'],
  dependencies: BundlesDependencies,
  find: FindBundle,
): Source<BundleRunRequest> {
  const { config, restores, allowedUrls, bundles } = dependencies;
  const settings = (input: unknown): SourceSettings => {
    const parsed = parseInput(bundleInput, input);
    // What is wrong with it is told when it is saved.
    bundles.databaseOf(parsed.options.database);
    const { source_ref: ref, options } = parsed;
    if (type === 'url' && ref !== null) parseSourceUrl(ref, allowedUrls);
    if (options.token !== undefined) {
      if (type !== 'url') throw fieldError('options.token', 'belongs to the source_type url only');
      tokenVariable(options.token);
    }
    return { ...parsed, source_type: type };
  };
  return {
    settings: (input) => settings(withoutType(input)),

    settingsOnce({ source_type: _, ...body }) {
      const own = Object.keys(bundleInput.shape).filter((name) => name !== 'options');
      const entries = Object.entries(body);
      return settings({
        ...Object.fromEntries(entries.filter(([name]) => own.includes(name))),
        options: Object.fromEntries(entries.filter(([name]) => !own.includes(name))),
      });
    },

    async request(saved, { runId, caller }, place) {
      const { source_ref, conflict_strategy, include, models, create_models, options } = parseInput(
        bundleInput,
        withoutType(saved),
      );
      if (source_ref === null) throw fieldError('source_ref', 'is required');
      if (conflict_strategy === 'replace') demandAccess(caller, 'full', 'The strategy replace');
      const database = bundles.databaseOf(options.database);
      return {
        sourceType: type,
        bundle: {
          restoreId: runId,
          tenant: place.tenant,
          fingerprint: fingerprint(config, database),
          database,
          namespace: place.namespace,
          source: await find(source_ref, place, options.token),
          conflictStrategy: conflict_strategy,
          include,
          models,
          createModels: create_models,
          dryRun: options.dry_run ?? false,
          validateOnly: options.validate_only ?? false,
          incremental: options.incremental ?? false,
          ...(options.undoable ? { undoable: true } : {}),
        },
      };
    },

    workflow: ({ bundle }) => ({
      type: workflowTypes.restoreBundle,
      args: [bundle],
      summary: summaryText(`${bundle.database}.${bundle.namespace} (${bundle.conflictStrategy}): bundle`),
    }),

    preview: null,

    async observe(runId, description) {
      if (description.standing === 'running') {
        return runOfProgress(await restores.progress(runId), description);
      }
      const state = description.standing === 'cancelled' ? 'cancelled' : null;
      if (state !== null) return bareRun(runId, state, description, null);
      const outcome = await restores.outcome(runId);
      return bareRun(runId, outcome.state, description, outcome.error);
    },

    change: ({ state, endedAt, error }) => ({
      state,
      ...(isEnded(state) ? { endedAt } : {}),
      ...(state === 'completed' ? { progress: 100 } : {}),
      ...(error === null
        ? {}
        : { error: error.message, errorDetail: `${error.code}: ${error.message}\n${error.hint}` }),
    }),

    lines({ state, error }) {
      const line = isEnded(state) ? endLine(state, error) : null;
      return line === null ? [] : [line];
    },

    // Only the control database remembers it, and that was asked.
    recall: async () => null,

    undo: ({ bundle }, owner, input) => undoOf(dependencies, bundle, owner, input),
  };
}

/** @throws ApiError `CONFLICT` with the reason where there is nothing to undo */
async function undoOf(
  { config, standingOf }: BundlesDependencies,
  bundle: BundleRequest,
  owner: RunOwner,
  input: unknown,
): Promise<RunRequest> {
  const { restoreId, database, namespace, conflictStrategy, undoable = false } = bundle;
  const { caller } = owner;
  if (namespace !== caller.namespace) demandAccess(caller, 'root', `The schema ${namespace}`);
  if (conflictStrategy === 'replace') demandAccess(caller, 'full', 'The undo of a replace');
  const undo = undoRun(owner, { restoreId, database, config }, input);
  if (!undoable) throw nothingKept('it was not asked for with "undoable": true');
  if (bundle.dryRun || bundle.validateOnly) throw nothingKept('it was not to change anything');
  const standing = await standingOf(bundle);
  if (standing === 'undone') throw undoneAlready();
  if (standing === 'nothing changed') throw nothingKept('it has changed nothing');
  return undo;
}

const text = z.string(must('must be text'));
const flag = z.boolean(must('must be true or false'));

/** Settings of a restore of a bundle. */
export const bundleInput = z.strictObject({
  source_ref: text
    .nullable()
    .default(null)
    .describe(
      'Of upload: its id or source_ref; of extract_run: the id of the run; of url: an https or S3 URL.',
    ),
  conflict_strategy: z
    .enum(bundleStrategies, must(`must be one of ${bundleStrategies.join(', ')}`))
    .default('upsert')
    .describe('What becomes of records whose id is there. replace needs the access full.'),
  include: z
    .array(z.enum(bundleParts, must(`must be one of ${bundleParts.join(', ')}`)), must('must be a list'))
    .min(1, 'must name at least one part')
    .default([...bundleParts])
    .describe('describe: the models; data: their records.'),
  models: z
    .array(text, must('must be a list of models'))
    .nullable()
    .default(null)
    .describe('Only these models; null: all.'),
  create_models: flag
    .default(true)
    .describe('Whether models that are not there are made; else they are refused.'),
  options: z
    .strictObject(
      {
        database: text
          .optional()
          .describe('As configured; by default that of THAW_BUNDLE_DATABASE, or the only one.'),
        token: text.optional().describe('Of url: workers send THAW_URL_TOKEN_{token} as bearer token.'),
        dry_run: flag
          .optional()
          .describe('Does it all, rolls it back, and tells exact counts in progress_detail.'),
        validate_only: flag.optional().describe('Checks the file alone.'),
        incremental: flag.optional().describe('Leaves out files whose SHA-256 was restored before.'),
        undoable: flag.optional().describe('Keeps what it changes and makes, so that it can be undone.'),
      },
      must('must be an object of settings'),
    )
    .default({}),
});

function withoutType({
  source_ref,
  conflict_strategy,
  include,
  models,
  create_models,
  options,
}: SourceInput) {
  return { source_ref, conflict_strategy, include, models, create_models, options };
}
