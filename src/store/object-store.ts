/** An object as a listing tells it. */
export interface ObjectInfo {
  readonly key: string;
  /** Size in bytes, compressed as it lies there. */
  readonly bytes: number;
  /** Entity tag without quotes. For a folder: made of size and modification time. */
  readonly etag: string;
  /** ISO 8601. */
  readonly modifiedAt: string;
  /** `STANDARD`, `GLACIER`, …; null where the store knows none. */
  readonly storageClass: string | null;
}

/** Some objects in the order of their keys (UTF-8 bytes), and where to go on. */
export interface ObjectPage {
  readonly objects: readonly ObjectInfo[];
  /** Pass it as `after` for the next page; null at the end. */
  readonly next: string | null;
}

/** Which objects to list. */
export interface ListOptions {
  /** Keys begin with this; ends with `/` unless it is empty. */
  readonly prefix: string;
  /** Only keys after this one. */
  readonly after?: string | null;
  /** At most this many, and at most 1,000. @default 1000 */
  readonly limit?: number;
  /**
   * Told of each folder below the prefix that may not be read, which is passed over then, by its key with `/` at the
   * end; it may be told of on every page. Without it such a folder is an error, as what lies in it would be missing
   * unseen. S3 has none.
   */
  readonly onUnreadable?: ((folder: string) => void) | undefined;
  readonly signal?: AbortSignal;
}

/** How to read an object. */
export interface ReadOptions {
  /** Refuses the object (`ArchiveChanged`) when its entity tag is another one, at the start or when a broken read goes on. */
  readonly etag?: string | undefined;
  /** First byte. @default 0 */
  readonly from?: number | undefined;
  /** The byte behind the last; more than `from`. @default the end of the object */
  readonly to?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An object being read. */
export interface ObjectBody {
  /** Of the whole object, whatever part of it is read. */
  readonly bytes: number;
  readonly etag: string;
  /**
   * The bytes that were asked for, in order. A connection that breaks is opened again by range, with If-Match;
   * the stream ends only when all came. To stop early, return from the iteration.
   */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/**
 * Where archives lie: S3 or a folder of the same layout.
 *
 * Errors: `ArchiveNotFound`, `ArchiveFrozen`, `ArchiveChanged`, `PermissionDenied`, `StoreThrottled`, `StoreUnavailable`;
 * an aborted signal rejects with its reason.
 */
export interface ObjectStore {
  /** What to call the store in messages, without credentials: `s3://bucket` or `file:///path`. */
  readonly name: string;
  list(options: ListOptions): Promise<ObjectPage>;
  /** Opens an object for reading as a stream. */
  open(key: string, options?: ReadOptions): Promise<ObjectBody>;
  /** Reads a small object whole, such as metadata; `null` when it is not there. */
  read(key: string, options?: ReadOptions): Promise<Uint8Array | null>;
  /**
   * Writes a small object, replacing it whole.
   *
   * @param replaces refuses to (`ArchiveChanged`) unless the object there has this entity tag, or for null
   * unless there is none; absent: whatever is there. A server that knows no conditions writes anyway.
   */
  write(key: string, body: Uint8Array, contentType: string, replaces?: string | null): Promise<void>;
  /**
   * Writes an object of any size as it comes, replacing it whole. What the chunks raise is raised; then nothing was
   * written.
   *
   * @param about how many bytes there may be, where that is more than 80 GB
   */
  writeStream(
    key: string,
    chunks: AsyncIterable<Uint8Array>,
    contentType: string,
    about?: number,
  ): Promise<void>;
  /** Removes an object; none there is as good. */
  remove(key: string): Promise<void>;
  close(): void;
}

/** What reading archives needs of a store. */
export type ArchiveStore = Pick<ObjectStore, 'name' | 'open' | 'read'>;
