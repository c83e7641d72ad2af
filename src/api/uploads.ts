import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { openBundle } from '../bundle/bundle.ts';
import { openFile } from '../bundle/random-access.ts';
import { storedKey } from '../bundle/stored-key.ts';
import { tarToZip } from '../bundle/tar-to-zip.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { ControlClient, ControlDatabase } from '../control/control-database.ts';
import { deleteUpload, insertUpload, readUpload, type UploadRow } from '../control/uploads.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { ApiError } from './api-error.ts';
import type { BundleSettings } from './bundle-settings.ts';
import type { Caller } from './caller.ts';
import type { ReceivedFile } from './receive-file.ts';
import type { Spool, SpooledFile } from './spool.ts';

/** What keeping bundles takes. */
export interface UploadsDependencies {
  readonly config: ThawConfig;
  readonly control: ControlDatabase;
  readonly store: ObjectStore;
  readonly settings: BundleSettings;
}

/** The bundles that were sent: their bytes in the store, where every worker finds them. */
export class Uploads {
  readonly #dependencies: UploadsDependencies;

  constructor(dependencies: UploadsDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Checks that a file is a bundle, and puts it into the store.
   *
   * @param under something that, with the same file, gives the same upload; null: each is another one
   * @throws ApiError `BAD_REQUEST` for what is none
   */
  async keep(
    { file: sent, filename }: ReceivedFile,
    spool: Spool,
    caller: Caller,
    under: string | null = null,
  ): Promise<UploadRow> {
    const { config, control, store, settings } = this.#dependencies;
    const file = await bundleOf(sent, spool);
    const id = under === null ? randomBytes(16).toString('hex') : idOf(under, file.sha256);
    const earlier = await control.use((client) => readUpload(client, id, caller.tenant));
    if (earlier !== null) return earlier;
    const key = storedKey(config.store.prefix, 'uploads', id);
    const { tenant, subject } = caller;
    const upload = { id, tenant, filename, bytes: file.bytes, sha256: file.sha256, key, created_by: subject };
    // Before its bytes: what a crash leaves in the store is known, and removed in time.
    const row = await control.use((client) => insertUpload(client, upload, settings.uploadKeep));
    try {
      await store.writeStream(key, createReadStream(file.path), 'application/zip');
    } catch (error) {
      await control.use((client) => deleteUpload(client, id)).catch(() => {});
      throw error;
    }
    return row;
  }
}

/**
 * The upload that a `source_ref` names: its id, or the path that the document gives it, which is never opened.
 *
 * @param tenant whose it must be; null: anybody's
 * @throws ApiError `RECORD_NOT_FOUND` when there is none (any more) of the tenant
 */
export async function findUpload(
  client: ControlClient,
  ref: string,
  tenant: string | null,
): Promise<UploadRow> {
  const id = uploadIdOf(ref);
  const row = id === null ? null : await readUpload(client, id, tenant);
  if (row !== null) return row;
  throw new ApiError('RECORD_NOT_FOUND', `There is no upload ${ref.slice(0, 200)} (any more).`, {
    hint: 'Send the bundle with POST /api/uploads, and use the id that it answers with.',
  });
}

/** `{id}`, or `/tmp/restores/uploads/{id}.zip`; null for anything else. */
export function uploadIdOf(ref: string): string | null {
  return /^(?:\/tmp\/restores\/uploads\/)?([0-9a-f]{32})(?:\.zip)?$/.exec(ref)?.[1] ?? null;
}

/** 32 hex digits. */
function idOf(under: string, sha256: string): string {
  return createHash('sha256')
    .update(JSON.stringify([under, sha256]))
    .digest('hex')
    .slice(0, 32);
}

/** The file as a ZIP that was found to be a bundle. */
async function bundleOf(sent: SpooledFile, spool: Spool): Promise<SpooledFile> {
  try {
    const isGzip = sent.head.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b]));
    const file = isGzip ? await spool.write(tarToZip(createReadStream(sent.path), sent.bytes)) : sent;
    const bundle = await openBundle(await openFile(file.path));
    try {
      // What is wrong with it is told to who sends it.
      await bundle.readDescription();
    } finally {
      await bundle.close();
    }
    return file;
  } catch (error) {
    if (!(error instanceof ThawError) || error.code !== 'InputInvalid') throw error;
    const { message, hint, code } = error;
    throw new ApiError('BAD_REQUEST', `Invalid file: ${message}`, { hint, data: { code }, cause: error });
  }
}
