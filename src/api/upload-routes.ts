import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { UploadRow } from '../control/uploads.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import type { BundleSettings } from './bundle-settings.ts';
import { receiveFile } from './receive-file.ts';
import { Spool } from './spool.ts';
import type { Uploads } from './uploads.ts';

const uploadRecord = z
  .object({
    id: z.string().openapi({ description: 'The source_ref of restores with source_type upload.' }),
    source_ref: z.string().openapi({ description: 'The same, as the path that the API document gives it.' }),
    filename: z.string().nullable(),
    size: z.int().min(0).openapi({ description: 'Bytes, as a ZIP.' }),
    sha256: z.string(),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().openapi({ description: 'When it is removed.' }),
  })
  .openapi('Upload');

const bytes = { type: 'string', format: 'binary' } as const;

/** The form of routes that take a bundle, for their OpenAPI description. */
export const fileField = { ...bytes, description: 'A bundle: a ZIP, or a .tar.gz of the same layout.' };

const uploadRoute = createRoute({
  method: 'post',
  path: '/api/uploads',
  summary: 'Takes a bundle, for restores with source_type upload',
  request: {
    body: {
      required: true,
      content: {
        'multipart/form-data': {
          schema: { type: 'object', properties: { file: fileField }, required: ['file'] },
        },
        'application/zip': { schema: bytes },
        'application/gzip': { schema: bytes },
        'application/octet-stream': { schema: bytes },
      },
    },
  },
  responses: {
    201: answer('It is kept.', uploadRecord),
    ...errorAnswers(400, 401, 403, 408, 413, 415, 429, 503),
  },
});

/** `POST /api/uploads`. */
export function addUploadRoutes(app: OpenAPIHono<ApiEnv>, uploads: Uploads, settings: BundleSettings): void {
  // The body is read by receiveFile alone: a validator would read it whole.
  app.openAPIRegistry.registerPath(uploadRoute);
  app.post(uploadRoute.path, async (context) => {
    const limits = { bytes: settings.uploadLimit, patience: settings.bodyPatience };
    const spool = await Spool.make();
    try {
      const received = await receiveFile(context, spool, limits, 'form or raw');
      const row = await uploads.keep(received, spool, context.get('caller'));
      return context.json(success(toUploadRecord(row)), 201);
    } finally {
      await spool.remove();
    }
  });
}

function toUploadRecord(row: UploadRow): z.output<typeof uploadRecord> {
  return {
    id: row.id,
    source_ref: `/tmp/restores/uploads/${row.id}.zip`,
    filename: row.filename,
    size: row.bytes,
    sha256: row.sha256,
    created_at: row.created_at.toISOString(),
    expires_at: row.expires_at.toISOString(),
  };
}
