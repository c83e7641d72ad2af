import { createHash } from 'node:crypto';
import path from 'node:path';
import { Readable } from 'node:stream';
import { Context } from '@temporalio/activity';
import { type FetchedBody, fetchUrl } from '../src/bundle/fetch-url.ts';
import { folderToZip } from '../src/bundle/folder-to-zip.ts';
import {
  AllowedPlaces,
  badUrl,
  parseSourceUrl,
  type SourceUrl,
  tokenPrefix,
} from '../src/bundle/source-url.ts';
import { storedKey } from '../src/bundle/stored-key.ts';
import { tarToZip } from '../src/bundle/tar-to-zip.ts';
import { parseBytes } from '../src/config/byte-size.ts';
import type { Activities } from '../src/contract/activities.ts';
import { ThawError } from '../src/contract/thaw-error.ts';
import { insertUpload } from '../src/control/uploads.ts';
import { LoadProgress } from '../src/load/load-progress.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { openStore } from '../src/store/open-store.ts';
import type { BundleWorker } from './bundle-tools.ts';
import { withHeartbeats } from './heartbeat.ts';

/** Seconds that what was fetched is kept: attempts and other activities read it. */
const keep = 7 * 86_400;

/**
 * Brings the bundle of a URL into the store, where it is read from: every attempt and activity sees the same. What lies
 * there is removed like an upload.
 */
export function fetchBundle({ thaw, control }: BundleWorker): Activities['fetchBundle'] {
  return async ({ restoreId, tenant, source }) => {
    if (source.kind === 'stored') return source;
    const { cancellationSignal: signal } = Context.current();
    const progress = new LoadProgress();
    const id = createHash('sha256').update(`fetched/${restoreId}`).digest('hex').slice(0, 32);
    const key = storedKey(thaw.config.store.prefix, 'fetched', id);
    const allowed = new AllowedPlaces(thaw.env.THAW_URL_ALLOW);
    const url = parseSourceUrl(source.url, allowed);
    const upload = {
      id,
      tenant,
      filename: filenameOf(url),
      bytes: 0,
      sha256: '',
      key,
      created_by: restoreId,
    };
    // Before its bytes: what a crash leaves in the store is known, and removed in time.
    await control.database.use((client) => insertUpload(client, upload, keep));
    const digest = createHash('sha256');
    let bytes = 0;
    const counted = async function* (chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) {
        digest.update(chunk);
        bytes += chunk.length;
        progress.move(chunk.length, 0);
        yield chunk;
      }
    };
    progress.enter('download', upload.filename);
    return withHeartbeats(
      () => (progress.alive ? progress.snapshot() : null),
      async () => {
        const limit = limitOf(thaw);
        const token = tokenOf(thaw, source.tokenVariable);
        const body =
          url.kind === 's3'
            ? await openS3(thaw, url, allowed, signal)
            : await fetchUrl(url.url, { allowed, token, limit, signal });
        if (body.bytes !== null && body.bytes > limit)
          throw badUrl(`what it gives is larger than ${limit} bytes`);
        await thaw.store.writeStream(key, counted(await asZip(body, limit)), 'application/zip');
        const sha256 = digest.digest('hex');
        await control.database.use((client) => insertUpload(client, { ...upload, bytes, sha256 }, keep));
        return { kind: 'stored', key, sha256, filename: upload.filename };
      },
    );
  };
}

/** A `.tar.gz`, told by its first bytes, becomes a ZIP on the way. */
async function asZip({ chunks, bytes }: FetchedBody, limit: number): Promise<AsyncIterable<Uint8Array>> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  const all = async function* () {
    try {
      if (!first.done) yield first.value;
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  };
  const isGzip = !first.done && first.value[0] === 0x1f && first.value[1] === 0x8b;
  return isGzip ? tarToZip(Readable.from(all(), { objectMode: false }), bytes ?? limit) : all();
}

/** An object, or a folder packed as a ZIP, of the configured bucket or of one that is allowed; never what Thaw keeps for other tenants. */
async function openS3(
  thaw: ThawContext,
  { bucket, key }: Extract<SourceUrl, { kind: 's3' }>,
  allowed: AllowedPlaces,
  signal: AbortSignal,
): Promise<FetchedBody> {
  const { store } = thaw.config;
  if (store.kind !== 's3') throw badUrl('no S3 is configured');
  if (bucket !== store.bucket && !allowed.allowsBucket(bucket))
    throw badUrl(`the bucket ${bucket} is not allowed`);
  if (key.split('/').includes('.thaw')) throw badUrl('what Thaw keeps there is not read by its key');
  const opened = openStore({ ...store, bucket }, thaw.env);
  const { bytes, chunks } = key.endsWith('/')
    ? await folderToZip(opened, key, signal)
    : await opened.open(key, { signal });
  return { bytes, chunks: closing(chunks, () => opened.close()) };
}

async function* closing(chunks: AsyncIterable<Uint8Array>, close: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } finally {
    close();
  }
}

function filenameOf(url: SourceUrl): string {
  const name = path.posix.basename(url.kind === 's3' ? url.key : url.url.pathname);
  return name.replaceAll(/[^\w.%-]/g, '_').slice(0, 200) || 'bundle.zip';
}

function limitOf(thaw: ThawContext): number {
  const limit = parseBytes(thaw.env.THAW_UPLOAD_LIMIT || '1GiB');
  if (limit !== null) return limit;
  throw new ThawError('ConfigInvalid', 'THAW_UPLOAD_LIMIT: must be such as 1GiB', {
    object: 'THAW_UPLOAD_LIMIT',
  });
}

function tokenOf(thaw: ThawContext, variable: string | null): string | null {
  if (variable === null) return null;
  const token = variable.startsWith(tokenPrefix) ? thaw.env[variable] : undefined;
  if (token !== undefined && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new ThawError('ConfigInvalid', `${variable}: is not set in this worker's environment`, {
    object: variable,
    hint: `Set it to the token, for every worker.`,
  });
}
