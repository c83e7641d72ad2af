import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { asIs, must, parseInput } from '../client/restore-input.ts';
import { errorCodes } from '../contract/error-code.ts';
import type { SnapshotValidation } from '../contract/snapshot-validation.ts';
import { nameOf } from '../snapshot/order/table-order.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { ApiError } from './api-error.ts';
import type { BundleSettings } from './bundle-settings.ts';
import { limitBody, readOptionalJson } from './json-body.ts';
import { readBody } from './request-body.ts';
import type { SnapshotChoices } from './snapshot-choices.ts';
import type { SnapshotLooks } from './snapshot-looks.ts';
import { snapshotPreviewJson, toSnapshotPreviewJson } from './snapshot-preview-json.ts';
import type { Selections } from './snapshot-selections.ts';
import { snapshotNotFound } from './snapshots.ts';
import { goesWith, pointInTime, snapshotChoice } from './sources/snapshot-settings.ts';

/** What looking at snapshots takes. */
export interface SnapshotLookDependencies {
  readonly choices: SnapshotChoices;
  readonly looks: SnapshotLooks;
  readonly selections: Selections;
  readonly settings: Pick<BundleSettings, 'uploadLimit' | 'bodyPatience'>;
}

const params = z.object({
  id: z.string().openapi({
    param: { name: 'id', in: 'path' },
    description:
      'Of a snapshot; or a UUID of backup_pitr_snapshots, or the key of a {tenant}/{job}-backup.json with %2F for slashes.',
  }),
});

const { newer_by: _, ...ofAll } = snapshotChoice;
const flag = z.boolean(must('must be true or false'));
const mostSamples = 100;
const samplesMessage = `must be a whole number from 0 to ${mostSamples}`;

const diffInput = z.strictObject(
  {
    ...snapshotChoice,
    ...pointInTime,
    conflict_strategy: z
      .enum(['overwrite', 'merge'], must('must be overwrite or merge'))
      .default('overwrite')
      .openapi({ description: 'What differs where the tables become as the snapshot, or newer rows win.' }),
    samples: z
      .int(must(samplesMessage))
      .min(0, samplesMessage)
      .max(mostSamples, samplesMessage)
      .optional()
      .openapi({ description: 'Counts, and so many differences of each kind, in place of all of them.' }),
    values: z
      .boolean(must('must be true or false'))
      .default(false)
      .openapi({ description: 'Whether samples have all values, not only those of the key.' }),
  },
  must('must be an object of settings'),
);

const validateInput = z.strictObject(
  {
    ...ofAll,
    again: flag.default(false).openapi({ description: 'It may have been restored before.' }),
    quick: flag.default(false).openapi({ description: 'Reads no rows.' }),
  },
  must('must be an object of settings'),
);

/** The documented result, and more issues. */
const validation = z
  .object({
    valid: z.boolean(),
    issues: z.array(z.object({ issue: z.string(), code: z.enum(errorCodes), object: z.string().nullable() })),
    notices: z.array(z.string()),
    snapshot: z.object({
      id: z.string(),
      created_at: z.iso.datetime().nullable(),
      status: z.enum(['active', 'expired', 'rolled_back', 'archived', 'damaged']),
      affected_tables: z.array(z.string()),
    }),
    complete: z.boolean().openapi({ description: 'Whether its rows were read, too.' }),
  })
  .openapi('SnapshotValidation');

const validateRoute = createRoute({
  method: 'post',
  path: '/api/snapshots/{id}/validate',
  summary: 'Whether a snapshot can be restored, and why not',
  description:
    'Files are compared with their checksums and counts, tables and columns with the database; rows are staged beside the tables to see that PostgreSQL takes them and that no foreign key breaks. Nothing is changed.',
  middleware: [limitBody] as const,
  request: {
    params,
    body: { content: { 'application/json': { schema: { $ref: '#/components/schemas/SnapshotCheck' } } } },
  },
  responses: {
    200: answer('What was found.', validation),
    ...errorAnswers(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 503),
  },
});

const lines = {
  type: 'string',
  description: 'A line of JSON for each difference, behind one about the diff.',
} as const;

const diffRoute = createRoute({
  method: 'post',
  path: '/api/snapshots/{id}/diff',
  summary: 'Every difference between a snapshot and its tables, or their counts and samples',
  description:
    'As application/x-ndjson, to be marked and sent back; with `samples`, or Accept: application/json, the exact preview. Nothing is changed. A stream that breaks off is not whole.',
  request: {
    params,
    body: { content: { 'application/json': { schema: { $ref: '#/components/schemas/SnapshotDiff' } } } },
  },
  responses: {
    200: {
      description: 'The differences.',
      content: {
        'application/x-ndjson': { schema: lines },
        ...answer('The preview.', snapshotPreviewJson).content,
      },
    },
    ...errorAnswers(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 503),
  },
});

const kept = z
  .object({
    selection: z.string().openapi({ description: 'For restores with conflict_strategy selective.' }),
    differences: z.int().min(1).openapi({ description: 'That are marked.' }),
    tables: z.array(z.string()),
    database: z.string(),
    expires_at: z.iso.datetime(),
  })
  .openapi('Selection');

const selectionRoute = createRoute({
  method: 'post',
  path: '/api/snapshots/{id}/selections',
  summary: 'Takes a diff in which lines are marked with "take": true',
  request: {
    params,
    body: {
      required: true,
      content: {
        'application/x-ndjson': { schema: lines },
        'application/octet-stream': { schema: { type: 'string', format: 'binary' } },
      },
    },
  },
  responses: {
    201: answer('It is kept.', kept),
    ...errorAnswers(400, 401, 403, 408, 413, 415, 429, 503),
  },
});

/** What is looked at of snapshots, and sent back marked. */
export function addSnapshotLookRoutes(
  app: OpenAPIHono<ApiEnv>,
  { choices, looks, selections, settings }: SnapshotLookDependencies,
): void {
  app.openAPIRegistry.register('SnapshotDiff', diffInput.openapi({ example: { samples: 5 } }));

  app.openAPIRegistry.register('SnapshotCheck', validateInput.openapi({ example: {} }));

  app.openapi(validateRoute, async (context) => {
    const caller = context.get('caller');
    const { id } = context.req.valid('param');
    const { again, quick, ...asked } = parseInput(validateInput, await readOptionalJson(context));
    const choice = await choices.choose(id, asked, caller, asIs);
    const found = await looks.validate(caller.tenant, choice, { again, quick }, context.req.raw.signal);
    if ('error' in found) throw snapshotNotFound(id);
    return context.json(success(validationJson(found)), 200);
  });

  // Two forms of one answer: no type has both.
  app.openAPIRegistry.registerPath(diffRoute);
  app.post(diffRoute.getRoutingPath(), limitBody, async (context) => {
    const caller = context.get('caller');
    const given = parseInput(diffInput, await readOptionalJson(context));
    goesWith(given.conflict_strategy, 'merge', 'newer_by', given.newer_by, asIs);
    const choice = await choices.choose(idOf(context), given, caller, asIs);
    const { signal } = context.req.raw;
    if (given.samples !== undefined || wantsJson(context)) {
      const { samples = 5, values } = given;
      const preview = await looks.preview(caller.tenant, choice, { samples, values }, signal);
      return context.json(success(toSnapshotPreviewJson(choice.database, preview)), 200);
    }
    const stream = await looks.diff(caller.tenant, choice, signal);
    return context.body(stream, 200, { 'Content-Type': 'application/x-ndjson' });
  });

  // The body is read as it comes: a validator would read it whole.
  app.openAPIRegistry.registerPath(selectionRoute);
  app.post(selectionRoute.getRoutingPath(), async (context) => {
    requireLines(context);
    const limits = { bytes: settings.uploadLimit, patience: settings.bodyPatience };
    const { upload, header, tables, differences } = await selections.keep(
      idOf(context),
      readBody(context, limits),
      context.get('caller'),
    );
    const names = tables.map(nameOf);
    const expires = upload.expires_at.toISOString();
    const data = { selection: upload.id, differences, tables: names, database: header.database };
    return context.json(success({ ...data, expires_at: expires }), 201);
  });
}

function idOf(context: Context<ApiEnv>): string {
  return context.req.param('id') ?? '';
}

function validationJson(found: Exclude<SnapshotValidation, { error: string }>): z.output<typeof validation> {
  const { valid, issues, notices, snapshot, complete } = found;
  return {
    ...{ valid, complete, notices: [...notices] },
    issues: issues.map(({ issue, code, object }) => ({ issue, code, object })),
    snapshot: { ...snapshot, affected_tables: [...snapshot.affected_tables] },
  };
}

function wantsJson(context: Context): boolean {
  const accept = context.req.header('accept') ?? '';
  return /application\/json/i.test(accept) && !/ndjson/i.test(accept);
}

/** Also what keeps pages of other sites from sending one: a browser asks first for any type but those of forms. */
function requireLines(context: Context): void {
  const type = context.req.header('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type === 'application/x-ndjson' || type === 'application/octet-stream') return;
  throw new ApiError('UNSUPPORTED_MEDIA_TYPE', 'The Content-Type must be application/x-ndjson.');
}
