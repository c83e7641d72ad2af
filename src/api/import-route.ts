import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { fieldError } from '../client/restore-input.ts';
import { bundleStrategies } from '../contract/run-request.ts';
import { demandAccess } from './access.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import type { BundleSettings } from './bundle-settings.ts';
import { keyHeader } from './idempotency.ts';
import { receiveFile } from './receive-file.ts';
import { accepted, acceptedOf, ownerOf } from './restore-routes.ts';
import type { RunStarter } from './run-starter.ts';
import type { Sources } from './sources/sources.ts';
import { Spool } from './spool.ts';
import { fileField } from './upload-routes.ts';
import type { Uploads } from './uploads.ts';

const imported = accepted
  .extend({
    filename: z.string().nullable(),
    size: z.int().min(0).openapi({ description: 'Bytes of the file that was sent.' }),
    config: z.object({
      conflict_strategy: z.enum(bundleStrategies),
      include: z.array(z.string()),
      models: z.array(z.string()).nullable(),
      create_models: z.boolean(),
    }),
  })
  .openapi('Imported');

const word = { type: 'string' } as const;
const yesOrNo = { type: 'string' as const, enum: ['true', 'false'] };

const importRoute = createRoute({
  method: 'post',
  path: '/api/restores/import',
  summary: 'Takes a bundle and restores it',
  request: {
    headers: keyHeader,
    body: {
      required: true,
      content: {
        'multipart/form-data': {
          schema: {
            type: 'object',
            properties: {
              file: fileField,
              conflict_strategy: {
                ...word,
                enum: [...bundleStrategies],
                default: 'upsert',
                description: 'What becomes of records whose id is there. replace needs the access full.',
              },
              include: {
                ...word,
                default: 'describe,data',
                description: 'describe, data, or both with a comma.',
              },
              models: {
                ...word,
                example: '',
                description: 'Names with commas between; all where it is empty.',
              },
              create_models: { ...word, default: 'true', description: 'Anything but false is true.' },
              database: {
                ...word,
                example: '',
                description: 'As configured; that of THAW_BUNDLE_DATABASE or the only one by default.',
              },
              dry_run: { ...yesOrNo, default: 'false', description: 'Does it all and rolls it back.' },
              validate_only: { ...yesOrNo, default: 'false', description: 'Checks the file alone.' },
              incremental: {
                ...yesOrNo,
                default: 'false',
                description: 'Leaves out files that were restored before.',
              },
              undoable: {
                ...yesOrNo,
                default: 'false',
                description: 'Keeps what it changes and makes, so that it can be undone.',
              },
            },
            required: ['file'],
          },
        },
      },
    },
  },
  responses: {
    200: answer('The run is accepted.', imported),
    ...errorAnswers(400, 401, 403, 404, 408, 409, 413, 415, 429, 503),
  },
});

/** What importing takes. */
export interface ImportRouteDependencies {
  readonly starter: RunStarter;
  readonly sources: Sources;
  readonly uploads: Uploads;
  readonly settings: BundleSettings;
}

/** `POST /api/restores/import`: an upload and a restore of it in one step. */
export function addImportRoute(
  app: OpenAPIHono<ApiEnv>,
  { starter, sources, uploads, settings }: ImportRouteDependencies,
): void {
  // The body is read by receiveFile alone: a validator would read it whole.
  app.openAPIRegistry.registerPath(importRoute);
  app.post(importRoute.path, async (context) => {
    const owner = ownerOf(context);
    const limits = { bytes: settings.uploadLimit, patience: settings.bodyPatience };
    const spool = await Spool.make();
    try {
      const received = await receiveFile(context, spool, limits, 'form');
      const source = sources.of('upload');
      // What is wrong with the fields is told before anything is kept.
      const wanted = source.settingsOnce(settingsOf(received.fields), owner.caller);
      if (wanted.conflict_strategy === 'replace') demandAccess(owner.caller, 'full', 'The strategy replace');
      const key = context.req.header('idempotency-key');
      const upload = await uploads.keep(
        received,
        spool,
        owner.caller,
        key === undefined ? null : owner.runId,
      );
      const started = await starter.startOnce({ ...wanted, source_ref: upload.id }, owner);
      const { conflict_strategy, include, models, create_models } = wanted;
      return context.json(
        success({
          ...acceptedOf(context, started),
          filename: received.filename,
          size: received.file.bytes,
          config: { conflict_strategy, include, models, create_models },
        }),
        200,
      );
    } finally {
      await spool.remove();
    }
  });
}

/** The fields of a form, which are all text, as a restore takes them. */
function settingsOf(fields: ReadonlyMap<string, string>): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const [name, value] of fields) {
    const read = readers[name];
    if (read === undefined) throw fieldError(name, 'is not known');
    // An empty field of a form is one that was not filled in.
    if (value !== '') settings[name] = read(value, name);
  }
  return settings;
}

const readers: Readonly<Record<string, ((value: string, name: string) => unknown) | undefined>> = {
  conflict_strategy: (value) => value,
  include: list,
  models: list,
  create_models: (value) => value !== 'false',
  database: (value) => value,
  dry_run: flag,
  validate_only: flag,
  incremental: flag,
  undoable: flag,
};

function list(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function flag(value: string, name: string): boolean {
  if (value === 'true' || value === 'false') return value === 'true';
  throw fieldError(name, 'must be true or false', value);
}
