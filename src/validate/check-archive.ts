import { readArchive } from '../archive/decompress.ts';
import { tableOfKey } from '../archive/key.ts';
import { type ArchiveMetadata, parseMetadata } from '../archive/metadata.ts';
import { RestartNested } from '../archive/slice-error.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { verifyChecksums, verifyCount } from '../load/verify.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { frozenObjects } from '../store/storage-class.ts';
import type { FoundArchive } from './inventory.ts';
import { reaches, type ValidationLevel } from './level.ts';
import { LineCount } from './line-count.ts';
import { type Manifest, parseManifest } from './manifest.ts';
import { type LineCheck, RowCheck } from './row-check.ts';
import type { BorrowedTarget, Targets } from './targets.ts';
import { TypeCheck } from './type-check.ts';
import { type ArchiveVerdict, Faults } from './verdict.ts';

/** What is looked at. */
export interface CheckOptions {
  readonly level: ValidationLevel;
  readonly checksums: boolean;
  readonly recordCounts: boolean;
}

/** What archives are looked at with. */
export interface CheckTools {
  readonly store: ObjectStore;
  /** What every key begins with, as configured. */
  readonly prefix: string;
  /** Used from level `types` on. */
  readonly targets: Targets;
  /** Told of compressed bytes as they are read. */
  readonly onRead?: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Looks at one archive, as far as the level says, and tells everything that is wrong with it.
 *
 * @throws ThawError where it cannot be looked at: the store or the database is away, or refuses
 */
export async function checkArchive(
  archive: FoundArchive,
  options: CheckOptions,
  tools: CheckTools,
): Promise<ArchiveVerdict> {
  return new ArchiveCheck(archive, options, tools).run();
}

class ArchiveCheck {
  readonly #archive: FoundArchive;
  readonly #options: CheckOptions;
  readonly #tools: CheckTools;
  readonly #faults = new Faults();
  readonly #warnings: string[] = [];
  #records: number | null = null;
  #isMiscounted = false;

  constructor(archive: FoundArchive, options: CheckOptions, tools: CheckTools) {
    this.#archive = archive;
    this.#options = options;
    this.#tools = tools;
  }

  async run(): Promise<ArchiveVerdict> {
    const { key, bytes, metadataKey, manifestKey } = this.#archive;
    if (metadataKey === null) this.#faults.add(this.#lacksMetadata());
    if (manifestKey === null) {
      this.#warnings.push(
        `${key}: it has no deletion manifest, so its rows may still be in the source, or come again in a later archive.`,
      );
    }
    // Reading tells it by itself, and knows of a thawed copy.
    if (!this.#wants('checksums')) {
      for (const { storageClass } of frozenObjects([this.#archive])) {
        this.#warnings.push(`${key}: it is in ${storageClass} and must be thawed before it can be restored.`);
      }
    }
    const metadata = this.#wants('metadata') ? await this.#readMetadata(metadataKey) : null;
    if (this.#wants('checksums')) await this.#readThrough(metadata);
    else if (metadata !== null) this.#checkSize(metadata);
    return {
      ...{ key, bytes, records: this.#records, lacksMetadata: metadataKey === null },
      ...{ isMiscounted: this.#isMiscounted, faults: this.#faults.list(), warnings: this.#warnings },
    };
  }

  #wants(level: ValidationLevel): boolean {
    return reaches(this.#options.level, level);
  }

  #lacksMetadata(): ThawError {
    const { key } = this.#archive;
    return new ThawError(
      'MetadataInvalid',
      `${key}: it has no metadata, so nothing tells whether it is whole.`,
      {
        object: key,
        stage: 'metadata',
        hint: 'Bring the .metadata.json back. A restore loads the archive all the same, with nothing to compare it with.',
      },
    );
  }

  async #readMetadata(metadataKey: string | null): Promise<ArchiveMetadata | null> {
    if (metadataKey === null) return null;
    let metadata: ArchiveMetadata | null = null;
    await this.#faults.during(async () => {
      const { store, signal } = this.#tools;
      const bytes = await store.read(metadataKey, { signal });
      if (bytes === null) throw this.#lacksMetadata();
      metadata = parseMetadata(bytes, metadataKey);
      this.#checkMetadata(metadata, metadataKey);
    });
    return metadata;
  }

  /** What a validation cannot do without. */
  #checkMetadata(metadata: ArchiveMetadata, metadataKey: string): void {
    const { jsonlSha256, compressedSha256, recordCount, table } = metadata;
    const lacks = (field: string): ThawError =>
      new ThawError('MetadataInvalid', `${metadataKey}: ${field}: missing.`, {
        object: metadataKey,
        stage: 'metadata',
      });
    const folder = tableOfKey(this.#archive.key, this.#tools.prefix)?.table;
    if (folder !== undefined && folder !== table) {
      this.#warnings.push(`${metadataKey}: it is about table ${table}, and lies in the folder of ${folder}.`);
    }
    if (this.#options.checksums) {
      if (jsonlSha256 === null && compressedSha256 === null) this.#faults.add(lacks('checksums'));
      else if (jsonlSha256 === null || compressedSha256 === null) {
        const field = jsonlSha256 === null ? 'jsonl_sha256' : 'compressed_sha256';
        this.#warnings.push(
          `${metadataKey}: checksums.${field}: missing, so only the other one is compared.`,
        );
      }
    }
    if (this.#options.recordCounts && recordCount === null) this.#faults.add(lacks('data_info.record_count'));
  }

  /** All that can be told of the data without reading it. */
  #checkSize({ compressedBytes }: ArchiveMetadata): void {
    const { key, bytes } = this.#archive;
    if (compressedBytes === null || compressedBytes === bytes) return;
    this.#faults.add(
      new ThawError(
        'ArchiveCorrupt',
        `${key}: it has ${bytes} bytes, and its metadata says ${compressedBytes}.`,
        {
          object: key,
          stage: 'metadata',
        },
      ),
    );
  }

  async #readThrough(metadata: ArchiveMetadata | null): Promise<void> {
    const manifest = this.#wants('rows') ? await this.#readManifest() : null;
    const borrowed = this.#wants('types') ? await this.#borrowTarget(metadata) : null;
    try {
      for (const nested = new Set<string>(); ; ) {
        const column = await this.#pass(metadata, manifest, borrowed, nested);
        if (column === null) return;
        nested.add(column);
      }
    } finally {
      borrowed?.giveBack();
    }
  }

  async #readManifest(): Promise<Manifest | null> {
    const { manifestKey } = this.#archive;
    if (manifestKey === null) return null;
    let manifest: Manifest | null = null;
    await this.#faults.during(async () => {
      const bytes = await this.#tools.store.read(manifestKey, { signal: this.#tools.signal });
      manifest = bytes === null ? null : parseManifest(bytes, manifestKey);
    });
    return manifest;
  }

  /** The table that the archive would be restored into by default. */
  async #borrowTarget(metadata: ArchiveMetadata | null): Promise<BorrowedTarget | null> {
    const place = tableOfKey(this.#archive.key, this.#tools.prefix);
    const database = place?.database ?? metadata?.database ?? '';
    const table = metadata?.table ?? place?.table ?? '';
    let borrowed: BorrowedTarget | null = null;
    await this.#faults.during(async () => {
      borrowed = await this.#tools.targets.borrow(database, metadata?.schema ?? 'public', table);
    });
    return borrowed;
  }

  /**
   * Reads the archive once, to its end whatever is wrong with its lines: only then do its checksums tell
   * whose fault that is.
   *
   * @returns a column that turned out to hold nested JSON: the archive is to be read again with it
   */
  async #pass(
    metadata: ArchiveMetadata | null,
    manifest: Manifest | null,
    borrowed: BorrowedTarget | null,
    nested: ReadonlySet<string>,
  ): Promise<string | null> {
    const { key, etag } = this.#archive;
    const lines = new LineCount();
    const types = borrowed === null ? null : new TypeCheck(borrowed.client, key, borrowed.target, nested);
    const checks = new Set<LineCheck>(types === null ? [] : [types]);
    if (this.#wants('rows')) checks.add(new RowCheck(key, manifest));
    try {
      const { store, signal } = this.#tools;
      const body = await store.open(key, { signal, ...(etag === '' ? {} : { etag }) });
      const content = readArchive(this.#counted(body.chunks), {
        archive: key,
        digest: this.#options.checksums,
      });
      const isWhole = await this.#faults.during(async () => {
        for await (const chunk of content.chunks) {
          lines.push(chunk);
          await this.#each(checks, (check) => check.push(chunk));
        }
      });
      if (this.#options.checksums) {
        await this.#faults.during(() => verifyChecksums({ ...content, key, metadata }));
      }
      if (!isWhole) return null;
      this.#records = lines.records;
      if (this.#options.recordCounts) {
        const agrees = () => verifyCount({ ...content, key, metadata }, lines.records);
        this.#isMiscounted = !(await this.#faults.during(agrees));
      }
      await this.#each(checks, (check) => check.end());
      this.#warnOfUnknown(types);
      return null;
    } catch (error) {
      if (error instanceof RestartNested) return error.column;
      this.#faults.add(error);
      return null;
    } finally {
      for (const check of checks) await check.close();
    }
  }

  async *#counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.#tools.onRead?.(chunk.length);
      yield chunk;
    }
  }

  /** Goes on with those checks that find nothing wrong. */
  async #each(checks: Set<LineCheck>, step: (check: LineCheck) => void | Promise<void>): Promise<void> {
    for (const check of checks) {
      const isFine = await this.#faults.during(() => step(check));
      if (isFine) continue;
      checks.delete(check);
      await check.close();
    }
  }

  #warnOfUnknown(types: TypeCheck | null): void {
    for (const [column, values] of types?.unknownKeys ?? []) {
      this.#warnings.push(
        `${this.#archive.key}: the table has no column ${column}, of which there are ${values} values.`,
      );
    }
  }
}
