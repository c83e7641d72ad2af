import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { must, parseInput, restoreInput } from '../client/restore-input.ts';
import { sourceTypes } from '../contract/run-request.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { controlBody, readControl } from './control-input.ts';
import { keyHeader, runIdOf } from './idempotency.ts';
import { limitBody, readJson, readOptionalJson } from './json-body.ts';
import { idParam } from './path-params.ts';
import { previewJson } from './preview-json.ts';
import { exampleTable } from './restore-record.ts';
import type { RunStarter, StartedRun } from './run-starter.ts';
import type { Runs, Verb } from './runs.ts';
import { snapshotPreviewJson } from './snapshot-preview-json.ts';
import { bundleInput } from './sources/bundles.ts';
import { dumpOptions, dumpRef } from './sources/dump-settings.ts';
import { onlyStrategy } from './sources/plain-settings.ts';
import { snapshotOptions, snapshotRef, snapshotStrategy } from './sources/snapshot-settings.ts';
import type { RunOwner } from './sources/source.ts';
import type { Sources } from './sources/sources.ts';

/** What is told of a run that was accepted. */
export const accepted = z
  .object({
    run_id: z.string(),
    message: z.string().openapi({ example: 'Restore queued for execution' }),
    status_url: z.string().openapi({ example: '/api/data/restore_runs/20260104-052021-k3x9ab' }),
  })
  .openapi('Accepted');

/** Made anew: zod-openapi can name no schema that was made before it was loaded. */
const described = z
  .strictObject({ source_type: z.literal('archives').optional(), ...restoreInput.shape })
  .openapi({ example: { ...exampleTable, dry_run: true } });
const { options, ...ofBundles } = bundleInput.shape;
const describedBundle = z
  .strictObject({
    source_type: z.enum(sourceTypes).extract(['upload', 'extract_run', 'url']),
    ...ofBundles,
    ...options.unwrap().shape,
  })
  .openapi({
    example: { source_type: 'upload', source_ref: '9ddbd84850c63b972123a42bf6c24fe3', dry_run: true },
  });

const describedDump = z
  .strictObject({
    source_type: z.literal('dump'),
    source_ref: dumpRef,
    conflict_strategy: z.literal(onlyStrategy).optional(),
    ...dumpOptions.shape,
  })
  .openapi({ example: { source_type: 'dump', source_ref: 'latest', service: 'argus' } });

const describedSnapshot = z
  .strictObject({
    source_type: z.literal('snapshot'),
    source_ref: snapshotRef,
    conflict_strategy: snapshotStrategy,
    ...snapshotOptions.shape,
    dry_run: z.boolean().optional().describe('Answers 200 with what the restore would do, to the row.'),
  })
  .openapi({ example: { source_type: 'snapshot', source_ref: '20260104-052021-k3x9ab', dry_run: true } });

const params = idParam('Of a saved restore.');
const preview = answer(
  'What a dry run found; nothing was changed.',
  z.union([previewJson, snapshotPreviewJson]),
);

function inputOf(name: string) {
  return { $ref: `#/components/schemas/${name}` };
}

const startRoute = createRoute({
  method: 'post',
  path: '/api/restores',
  summary: 'Starts a restore that is not saved',
  description:
    'Of archives: takes what the command `thaw restore` takes. Of bundles: where one is, and what becomes of it. Of dumps: what `thaw restore-dump` takes. Of snapshots: what `thaw snapshot restore` takes. With an Idempotency-Key the same request starts one restore however often it is sent.',
  middleware: [limitBody] as const,
  request: {
    headers: keyHeader,
    // A reference, so that the body is read and checked by the source alone.
    body: {
      required: true,
      content: {
        'application/json': {
          schema: {
            anyOf: [
              inputOf('RestoreInput'),
              inputOf('BundleInput'),
              inputOf('DumpInput'),
              inputOf('SnapshotRestoreInput'),
            ],
          },
        },
      },
    },
  },
  responses: {
    200: preview,
    202: answer('The restore is accepted.', accepted),
    ...errorAnswers(400, 401, 403, 404, 408, 409, 410, 413, 415, 429, 503),
  },
});

const flag = z.boolean(must('must be true or false'));

/** What a run may do otherwise than it is saved. */
const runInput = z
  .strictObject(
    {
      dry_run: flag
        .optional()
        .openapi({ description: 'Changes nothing. Of a bundle: does it all and rolls it back.' }),
      confirm: flag
        .optional()
        .openapi({ description: 'Of a snapshot: must be true, here or in its options.' }),
      validate_only: flag.optional().openapi({ description: 'Of a bundle: checks the file alone.' }),
    },
    must('must be an object'),
  )
  .openapi('RunInput', { example: {} });

const runRoute = createRoute({
  method: 'post',
  path: '/api/restores/{id}/run',
  summary: 'Runs a saved restore',
  middleware: [limitBody] as const,
  request: {
    params,
    headers: keyHeader,
    body: { content: { 'application/json': { schema: { $ref: '#/components/schemas/RunInput' } } } },
  },
  responses: {
    200: answer(
      'The run is accepted; of a dry run of archives or a snapshot, what it found.',
      z.union([accepted, previewJson, snapshotPreviewJson]),
    ),
    ...errorAnswers(400, 401, 403, 404, 408, 409, 410, 413, 415, 429, 503),
  },
});

/** The route of a message to the active run of a saved restore. */
function controlRoute<const V extends Verb>(verb: V, summary: string) {
  return createRoute({
    method: 'post',
    path: `/api/restores/{id}/${verb}`,
    summary,
    middleware: [limitBody] as const,
    request: { params, body: controlBody },
    responses: {
      200: answer('It is done or has begun.', z.object({ message: z.string(), run_id: z.string() })),
      ...errorAnswers(400, 401, 403, 404, 408, 409, 413, 415, 503),
    },
  });
}

const cancelRoute = controlRoute('cancel', 'Cancels the active run of a saved restore');
const pauseRoute = controlRoute('pause', 'Pauses the active run of a saved restore');
const resumeRoute = controlRoute('resume', 'Resumes the active run of a saved restore');

/** What starting restores takes. */
export interface RestoreRouteDependencies {
  readonly starter: RunStarter;
  readonly runs: Runs;
  readonly sources: Sources;
}

/** `POST /api/restores`, and what is done with saved restores below it. */
export function addRestoreRoutes(
  app: OpenAPIHono<ApiEnv>,
  { starter, runs, sources }: RestoreRouteDependencies,
): void {
  app.openAPIRegistry.register('RestoreInput', described);
  app.openAPIRegistry.register('BundleInput', describedBundle);
  app.openAPIRegistry.register('DumpInput', describedDump);
  app.openAPIRegistry.register('SnapshotRestoreInput', describedSnapshot);
  app.openAPIRegistry.register('RunInput', runInput);

  app.openapi(startRoute, async (context) => {
    const owner = ownerOf(context);
    const {
      dry_run: dryRun,
      detect_conflicts: detectConflicts,
      ...body
    } = parseInput(oneOff, await readJson(context));
    const source = sources.of(body.source_type);
    const rolledBack = dryRun && source.preview === null;
    const settings = source.settingsOnce(rolledBack ? { ...body, dry_run: true } : body, owner.caller);
    if (dryRun && source.preview !== null) {
      const how = { detectConflicts, signal: context.req.raw.signal };
      return context.json(success(await source.preview(await starter.plan(settings, owner), how)), 200);
    }
    return context.json(success(acceptedOf(context, await starter.startOnce(settings, owner))), 202);
  });

  app.openapi(runRoute, async (context) => {
    const { id } = context.req.valid('param');
    const owner = ownerOf(context);
    const changes = parseInput(runInput, await readOptionalJson(context));
    if (changes.dry_run) {
      const request = await starter.planSaved(id, owner);
      const how = { detectConflicts: true, signal: context.req.raw.signal };
      const preview = await sources.of(request.sourceType).preview?.(request, how);
      if (preview !== undefined) return context.json(success(preview), 200);
    }
    const started = await starter.startSaved(id, owner, changes);
    return context.json(success(acceptedOf(context, started)), 200);
  });

  const tell = async (context: Context<ApiEnv>, id: string, verb: Verb, message: string) => {
    const said = await readControl(context);
    return success({ message, run_id: await runs.tellActive(id, context.get('caller'), verb, said) });
  };
  app.openapi(cancelRoute, async (context) =>
    context.json(await tell(context, context.req.valid('param').id, 'cancel', 'Restore cancelled'), 200),
  );
  app.openapi(pauseRoute, async (context) =>
    context.json(await tell(context, context.req.valid('param').id, 'pause', 'Restore paused'), 200),
  );
  app.openapi(resumeRoute, async (context) =>
    context.json(await tell(context, context.req.valid('param').id, 'resume', 'Restore resumed'), 200),
  );
}

/** What is said of a restore whatever its source; the source checks the rest. */
const oneOff = z.looseObject(
  {
    source_type: z.string(must('must be text')).default('archives'),
    dry_run: z.boolean(must('must be true or false')).default(false),
    detect_conflicts: z.boolean(must('must be true or false')).default(true),
  },
  must('must be an object of settings'),
);

/** Who asks for a run, and the id that it is to have. */
export function ownerOf(context: Context<ApiEnv>): RunOwner {
  const caller = context.get('caller');
  return { runId: runIdOf(context.req.header('idempotency-key'), caller), caller };
}

/** Tells of a run that was accepted. */
export function acceptedOf(
  context: Context<ApiEnv>,
  { runId, known }: StartedRun,
  what = 'Restore',
): z.output<typeof accepted> {
  const statusUrl = `/api/data/restore_runs/${runId}`;
  context.header('Location', statusUrl);
  if (known) context.header('Idempotency-Replayed', 'true');
  const message = known ? `${what} already accepted` : `${what} queued for execution`;
  return { run_id: runId, message, status_url: statusUrl };
}
