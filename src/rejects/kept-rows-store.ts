import type pg from 'pg';
import { type KeptScope, readKeptLines } from '../postgres/kept-rows.ts';
import type { ArchiveStore, ObjectBody, ReadOptions } from '../store/object-store.ts';

/** Blank lines that are written at a time. */
const mostBlank = 256 * 1024;

/**
 * A store in which archives hold only their kept rows, each on the line that it had: all others are blank. So
 * the loader that refused them loads them, and tells of them by the same lines. What lies beside the archives
 * is read from the store that they came from, but for counts that no longer hold.
 */
export class KeptRowsStore implements ArchiveStore {
  readonly #store: ArchiveStore;
  readonly #client: pg.Client;
  readonly #scope: KeptScope;

  /**
   * @param store that the archives came from
   * @param client reads the rows, of one archive at a time
   */
  constructor(store: ArchiveStore, client: pg.Client, scope: KeptScope) {
    this.#store = store;
    this.#client = client;
    this.#scope = scope;
  }

  get name(): string {
    return this.#store.name;
  }

  async open(key: string): Promise<ObjectBody> {
    return { bytes: 0, etag: '', chunks: this.#chunks(key) };
  }

  async read(key: string, options?: ReadOptions): Promise<Uint8Array | null> {
    const metadata = await this.#store.read(key, options);
    return metadata === null ? null : withoutCount(metadata);
  }

  async *#chunks(key: string): AsyncGenerator<Buffer> {
    let next = 1;
    for await (const { line, content } of readKeptLines(this.#client, this.#scope, key)) {
      for (let blank = line - next; blank > 0; blank -= mostBlank) {
        yield Buffer.alloc(Math.min(blank, mostBlank), '\n');
      }
      yield Buffer.from(`${content}\n`);
      next = line + 1;
    }
  }
}

/** The metadata of a whole archive, for a part of it. What is not JSON is left to whoever reads it. */
function withoutCount(metadata: Uint8Array): Uint8Array {
  try {
    const parsed = JSON.parse(Buffer.from(metadata).toString('utf8'));
    return Buffer.from(JSON.stringify({ ...parsed, data_info: { ...parsed.data_info, record_count: null } }));
  } catch {
    return metadata;
  }
}
