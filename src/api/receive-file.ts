import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Busboy, type BusboyFileStream } from '@fastify/busboy';
import type { Context } from 'hono';
import { ApiError } from './api-error.ts';
import { type BodyLimits, readBody } from './request-body.ts';
import type { Spool, SpooledFile } from './spool.ts';

/** A file that was sent, and what was sent along. */
export interface ReceivedFile {
  readonly file: SpooledFile;
  /** As the client names it, without folders; null where it names none. */
  readonly filename: string | null;
  readonly fields: ReadonlyMap<string, string>;
}

/** Of a form besides its file: room for twenty short fields. */
const formLimits = {
  files: 1,
  fields: 20,
  fieldNameSize: 100,
  fieldSize: 64 * 1024,
  parts: 22,
  headerPairs: 50,
};
const formRoom = 2 * 1024 * 1024;
const rawTypes = new Set([
  'application/zip',
  'application/x-zip-compressed',
  'application/gzip',
  'application/x-gzip',
  'application/x-tar',
  'application/octet-stream',
]);

/** Which forms of body a route takes. */
export type BodyForm = 'form' | 'form or raw';

/**
 * Receives the one file of a request into the spool: the part `file` of a form, or the body itself.
 *
 * @throws ApiError `UNSUPPORTED_MEDIA_TYPE`, `BAD_REQUEST` without a file, and what `readBody` raises
 */
export async function receiveFile(
  context: Context,
  spool: Spool,
  limits: BodyLimits,
  takes: BodyForm,
): Promise<ReceivedFile> {
  const contentType = context.req.header('content-type') ?? '';
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === 'multipart/form-data') return receiveForm(context, contentType, spool, limits);
  if (takes === 'form') throw unsupported('Content-Type must be multipart/form-data');
  if (!rawTypes.has(type)) {
    throw unsupported(`Content-Type must be multipart/form-data or one of ${[...rawTypes].join(', ')}`);
  }
  const file = await spool.write(readBody(context, limits));
  if (file.bytes === 0) throw new ApiError('BAD_REQUEST', 'The body is empty.', { hint: 'Send a bundle.' });
  return { file, filename: filenameOf(context), fields: new Map() };
}

async function receiveForm(
  context: Context,
  contentType: string,
  spool: Spool,
  limits: BodyLimits,
): Promise<ReceivedFile> {
  const form = openForm(contentType);
  const fields = new Map<string, string>();
  const streams: BusboyFileStream[] = [];
  const files: Promise<SpooledFile>[] = [];
  const faults: ApiError[] = [];
  let filename: string | null = null;
  form.on('field', (name, value, nameTruncated, truncated) => {
    if (nameTruncated || truncated) faults.push(badForm('A field is too long.'));
    else if (fields.has(name)) faults.push(badForm(`The field ${name} is there twice.`));
    else fields.set(name, value);
  });
  form.on('file', (name, stream, given) => {
    if (name !== 'file')
      faults.push(badForm(`The file must be the field file, not ${JSON.stringify(name)}.`));
    filename = plainName(given);
    streams.push(stream);
    const written = spool.write(stream);
    written.catch(() => {});
    files.push(written);
  });
  form.on('filesLimit', () => faults.push(badForm('There is more than one file.')));
  form.on('fieldsLimit', () => faults.push(badForm('There are too many fields.')));
  form.on('partsLimit', () => faults.push(badForm('There are too many parts.')));
  try {
    await pipeline(Readable.from(readBody(context, { ...limits, bytes: limits.bytes + formRoom })), form);
  } catch (error) {
    for (const stream of streams) stream.destroy(error instanceof Error ? error : undefined);
    await Promise.allSettled(files);
    throw error instanceof ApiError ? error : badForm('The form is damaged, or ends too early.', error);
  }
  const [fault] = faults;
  const [file] = await Promise.all(files);
  if (fault !== undefined) throw fault;
  if (file === undefined || file.bytes === 0)
    throw badForm('The field file, with a bundle in it, is missing.');
  if (file.bytes > limits.bytes) {
    throw new ApiError('BODY_TOO_LARGE', `The file is larger than ${limits.bytes} bytes.`);
  }
  return { file, filename, fields };
}

function openForm(contentType: string): InstanceType<typeof Busboy> {
  try {
    return new Busboy({ headers: { 'content-type': contentType }, limits: formLimits });
  } catch (error) {
    throw badForm('The Content-Type names no boundary.', error);
  }
}

/** Of a raw body: `Content-Disposition: attachment; filename="x.zip"`. */
function filenameOf(context: Context): string | null {
  const [, quoted, bare] =
    /filename=(?:"([^"]*)"|([^;\s]+))/i.exec(context.req.header('content-disposition') ?? '') ?? [];
  return plainName(quoted ?? bare);
}

/** Only for people to read: no folders, no control characters, not endless. */
function plainName(given: string | undefined): string | null {
  const name = (given ?? '')
    .replace(/^.*[/\\]/s, '')
    .replaceAll(/\p{Cc}/gu, '')
    .slice(0, 200);
  return name === '' ? null : name;
}

function badForm(message: string, cause?: unknown): ApiError {
  return new ApiError('BAD_REQUEST', message, {
    hint: 'Send multipart/form-data with the bundle as the field file: curl -F file=@bundle.zip',
    ...(cause === undefined ? {} : { cause }),
  });
}

function unsupported(message: string): ApiError {
  return new ApiError('UNSUPPORTED_MEDIA_TYPE', `${message}.`);
}
