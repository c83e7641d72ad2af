import { type Digests, readArchive } from '../archive/decompress.ts';
import { metadataKeys } from '../archive/key.ts';
import { type ArchiveMetadata, parseMetadata } from '../archive/metadata.ts';
import type { ArchiveRef } from '../contract/activities.ts';
import { archiveKey } from '../contract/names.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { ArchiveStore } from '../store/object-store.ts';

/** An archive being read. */
export interface OpenArchive {
  /** Full key. */
  readonly key: string;
  readonly metadata: ArchiveMetadata | null;
  /** Its decompressed bytes, in order. */
  readonly chunks: AsyncIterable<Buffer>;
  /** Sizes and checksums, once all chunks were read. */
  digests(): Digests;
}

/** Closes an archive that is not read after all. */
export async function letGo({ chunks }: OpenArchive): Promise<void> {
  const content = chunks[Symbol.asyncIterator]();
  // Only what has begun closes its connection. What may be wrong with it does not matter any more.
  await content.next().catch(() => {});
  await content.return?.();
}

/** Archives of at most this compressed size are fetched whole, ahead of their turn. */
const wholeBytes = 1024 * 1024;
/** So many of them at a time: enough to hide a round trip to the store behind loading the one before. */
const ahead = 4;

/** Reads the archives of a load in order, fetching small ones ahead. */
export class ArchiveReader {
  readonly #store: ArchiveStore;
  readonly #folder: string;
  readonly #archives: readonly ArchiveRef[];
  readonly #checksums: boolean;
  readonly #signal: AbortSignal;
  readonly #fetched = new Map<number, Promise<OpenArchive>>();

  constructor(
    store: ArchiveStore,
    folder: string,
    archives: readonly ArchiveRef[],
    options: { readonly checksums: boolean; readonly signal: AbortSignal },
  ) {
    this.#store = store;
    this.#folder = folder;
    this.#archives = archives;
    this.#checksums = options.checksums;
    this.#signal = options.signal;
  }

  /** Full key of an archive of the load. */
  keyOf(archive: ArchiveRef): string {
    return archiveKey(this.#folder, archive.name);
  }

  /** Full key of the archive at a place of the load. */
  keyAt(index: number): string {
    return this.keyOf(this.#archiveAt(index));
  }

  /** Name of the archive at a place of the load. */
  nameAt(index: number): string {
    return this.#archiveAt(index).name;
  }

  /** Place in the load of the archive with a full key. */
  indexOf(key: string): number {
    return this.#archives.findIndex((archive) => this.keyOf(archive) === key);
  }

  /**
   * Opens an archive of the load.
   *
   * @throws ThawError of the store, or `MetadataInvalid`
   */
  async open(index: number): Promise<OpenArchive> {
    for (let next = index; next <= index + ahead; next++) this.#prefetch(next);
    const fetched = this.#fetched.get(index);
    this.#fetched.delete(index);
    return fetched ?? this.#fetch(index);
  }

  /** Metadata of an archive of the load; null where it has none. @throws ThawError of the store, or `MetadataInvalid` */
  async metadata(index: number): Promise<ArchiveMetadata | null> {
    return this.#metadata(this.#archiveAt(index));
  }

  #prefetch(index: number): void {
    const archive = this.#archives[index];
    if (archive === undefined || archive.bytes > wholeBytes || this.#fetched.has(index)) return;
    const fetched = this.#fetch(index);
    // Whoever opens it is told; one that is never opened, since the load ended before, needs no telling.
    fetched.catch(() => {});
    this.#fetched.set(index, fetched);
  }

  async #fetch(index: number): Promise<OpenArchive> {
    const archive = this.#archiveAt(index);
    const key = this.keyOf(archive);
    const read = { etag: archive.etag, signal: this.#signal };
    const [metadata, chunks] = await Promise.all([
      this.#metadata(archive),
      archive.bytes <= wholeBytes ? this.#whole(key, read) : this.#stream(key, read),
    ]);
    const content = readArchive(chunks, { archive: key, digest: this.#checksums });
    return { key, metadata, chunks: content.chunks, digests: () => content.digests() };
  }

  async #metadata(archive: ArchiveRef): Promise<ArchiveMetadata | null> {
    if (archive.metadata === 'none') return null;
    const [sibling = '', suffixed = ''] = metadataKeys(this.keyOf(archive));
    const key = archive.metadata === 'sibling' ? sibling : suffixed;
    const bytes = await this.#store.read(key, { signal: this.#signal });
    return bytes === null ? null : parseMetadata(bytes, key);
  }

  #archiveAt(index: number): ArchiveRef {
    const archive = this.#archives[index];
    if (archive === undefined) throw new RangeError(`The load has no archive ${index}`);
    return archive;
  }

  async #whole(key: string, read: { etag: string; signal: AbortSignal }): Promise<Uint8Array[]> {
    const bytes = await this.#store.read(key, read);
    if (bytes === null)
      throw new ThawError('ArchiveNotFound', `${key}: there is no such archive in ${this.#store.name}.`, {
        object: key,
        stage: 'download',
      });
    return [bytes];
  }

  async #stream(
    key: string,
    read: { etag: string; signal: AbortSignal },
  ): Promise<AsyncIterable<Uint8Array>> {
    return (await this.#store.open(key, read)).chunks;
  }
}
