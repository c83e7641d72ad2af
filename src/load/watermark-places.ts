import type pg from 'pg';
import { tablePrefix } from '../archive/key.ts';
import { findDatabase } from '../config/database-config.ts';
import type { StorageType, ThawConfig } from '../config/thaw-config.ts';
import type { TableRequest } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { Watermark } from '../contract/watermark.ts';
import { readWatermark, replaceWatermark } from '../postgres/watermarks.ts';
import { formatWatermark, parseWatermark, watermarkKey } from '../restore/watermark.ts';
import type { ObjectStore } from '../store/object-store.ts';

/** Somebody else may write the object at the same time; then it is read anew, so many times. */
const mostTries = 5;

/** Where the watermarks of a database are kept: beside the archives, in the target database, or both. */
export class WatermarkPlaces {
  readonly #config: ThawConfig;
  readonly #store: ObjectStore;
  readonly #client: pg.Client;
  readonly #database: string;

  /** @param client to the target database, where the schema `thaw` is there */
  constructor(config: ThawConfig, store: ObjectStore, client: pg.Client, database: string) {
    this.#config = config;
    this.#store = store;
    this.#client = client;
    this.#database = database;
  }

  /** The folder of a table's archives, ending in `/`. */
  folderOf(table: string): string {
    return tablePrefix(this.#config.store.prefix, this.#database, table);
  }

  /** What ours names as the target: whoever reads it elsewhere can tell that it speaks of other rows. */
  targetOf({ intoSchema, intoTable }: TableRequest, oid: number): string {
    const { host, port, name } = findDatabase(this.#config, this.#database);
    return `${host}:${port}/${name}/${intoSchema}.${intoTable}#${oid}`;
  }

  /**
   * Reads the watermark of a table: of both places, that in the store counts first.
   *
   * @returns with what the user should know of one that cannot be read, which counts as none
   * @throws ThawError for errors of the moment
   */
  async read(table: string): Promise<{ watermark: Watermark | null; notices: readonly string[] }> {
    const notices: string[] = [];
    for (const place of this.#places) {
      try {
        const watermark =
          place === 's3'
            ? await this.#readObject(table)
            : await readWatermark(this.#client, this.#database, table);
        if (watermark !== null) return { watermark, notices };
      } catch (error) {
        if (!(error instanceof ThawError) || error.retryable) throw error;
        notices.push(`The watermark counts as none, as it cannot be read. ${error.message}`);
      }
    }
    return { watermark: null, notices };
  }

  /**
   * Writes the watermark of a table in each of its places.
   *
   * @param choose gives what is to be written in place of what is there; null: nothing
   * @throws ThawError the first error, once each place was tried
   */
  async replace(table: string, choose: (current: Watermark | null) => Watermark | null): Promise<void> {
    const errors: unknown[] = [];
    for (const place of this.#places) {
      try {
        if (place === 's3') await this.#replaceObject(table, choose);
        else await replaceWatermark(this.#client, this.#database, table, choose);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  get #places(): readonly Exclude<StorageType, 'both'>[] {
    const { storageType } = this.#config.restoreWatermark;
    return storageType === 'both' ? ['s3', 'database'] : [storageType];
  }

  async #readObject(table: string): Promise<Watermark | null> {
    const object = await this.#open(table);
    if (object === null) return null;
    const watermark = parseWatermark(object.bytes);
    if (watermark !== null) return watermark;
    const key = watermarkKey(this.folderOf(table));
    throw new ThawError('MetadataInvalid', `${this.#store.name}/${key}: is not a watermark`, { object: key });
  }

  /** Only over the object that was read: an attempt that was given up long ago must not put it back. */
  async #replaceObject(
    table: string,
    choose: (current: Watermark | null) => Watermark | null,
  ): Promise<void> {
    const key = watermarkKey(this.folderOf(table));
    for (let tries = 1; ; tries++) {
      const found = await this.#open(table);
      const next = choose(found === null ? null : parseWatermark(found.bytes));
      if (next === null) return;
      const body = Buffer.from(formatWatermark(next, new Date()));
      try {
        return await this.#store.write(key, body, 'application/json', found?.etag ?? null);
      } catch (error) {
        const isMoved = error instanceof ThawError && error.code === 'ArchiveChanged';
        if (!isMoved || tries === mostTries) throw error;
      }
    }
  }

  async #open(table: string): Promise<{ bytes: Uint8Array; etag: string } | null> {
    try {
      const { etag, chunks } = await this.#store.open(watermarkKey(this.folderOf(table)));
      const pieces: Uint8Array[] = [];
      for await (const chunk of chunks) pieces.push(chunk);
      return { bytes: Buffer.concat(pieces), etag };
    } catch (error) {
      if (error instanceof ThawError && error.code === 'ArchiveNotFound') return null;
      throw error;
    }
  }
}
