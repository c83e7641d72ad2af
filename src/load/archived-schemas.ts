import { metadataKeys, parseArchiveKey, tableFolders } from '../archive/key.ts';
import { type ArchivedSchema, parseMetadata } from '../archive/metadata.ts';
import type { ArchiveExtent, ArchiveRef } from '../contract/activities.ts';
import { archiveKey } from '../contract/names.ts';
import type { RestoreRequest, TableRequest } from '../contract/restore-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { FoundSchemas, SchemaMark } from '../restore/schema-migration.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { isAboutArchive } from './archive-error.ts';
import { type ListedPage, listPage } from './listing.ts';

/** Which archives are asked for their schemas. */
export interface SchemaScope {
  /** Where the table's archives may lie (`tableFolders`). */
  readonly folders: readonly string[];
  /** That the archives are of; the folder may hold some of another one too. */
  readonly schema: string;
  readonly startDate: string | null;
  readonly endDate: string | null;
  /** Full keys of exactly these archives; null: all. */
  readonly keys: readonly string[] | null;
  readonly signal: AbortSignal;
}

/** Archives listed at a time. */
const pageSize = 1000;

/** Metadata that is read at a time: a request takes far longer than parsing what it brings. */
const atOnce = 16;

/** Bytes by which metadata of one table differ without a schema, by their numbers and sampled keys; real schemas take 1,000 and more. */
const slack = 200;

/** Milliseconds between two archives of one run; the archiver rests some seconds between them. */
const longestGap = 5 * 60_000;

/**
 * Finds the schemas that archives were written with. The archiver writes one with the first batch of a run only,
 * so only metadata that may be that of a first batch is read: a listing tells which are larger than others,
 * where numbers do not go on (they may go on in a new run, too), and where time has passed.
 *
 * @param pending of some archives, those that are to be loaded
 * @throws ThawError of the store
 */
export async function findSchemas(
  store: ObjectStore,
  scope: SchemaScope,
  pending: (archives: readonly ArchiveRef[]) => Promise<readonly ArchiveRef[]>,
): Promise<FoundSchemas> {
  const days = (scope.keys ?? []).map((key) => parseArchiveKey(key).day);
  const isDated = days.every((day) => day !== null);
  const [first = null] = days.toSorted();
  const last = days.toSorted().at(-1) ?? null;
  const within =
    scope.keys === null
      ? scope
      : { ...scope, startDate: isDated ? first : null, endDate: isDated ? last : null };
  const search = new SchemaSearch(store, within, pending);
  const found = await search.run();
  if (!found.untold || within.startDate === null) return found;
  // A run that began before: somewhere further back lies its first batch.
  const wider = new SchemaSearch(store, { ...within, startDate: null }, async (archives) => {
    const from = within.startDate ?? '';
    return pending(archives.filter(({ name }) => (parseArchiveKey(name).day ?? '') >= from));
  });
  return { ...(await wider.run()), extent: found.extent };
}

/** The archives of a table that a request asks for. */
export function schemaScope(
  prefix: string,
  { database, keys, options }: Pick<RestoreRequest, 'database' | 'keys' | 'options'>,
  { table, schema }: TableRequest,
  signal: AbortSignal,
): SchemaScope {
  const folders = tableFolders(prefix, database, table, schema);
  const { startDate, endDate } = options;
  const own = keys === null ? null : wholeKeys(keys, prefix, folders);
  return { folders, schema, startDate, endDate, keys: own, signal };
}

/** Of keys as they are given, with the prefix or without it, the full ones of archives in some folders. */
export function wholeKeys(keys: readonly string[], prefix: string, folders: readonly string[]): string[] {
  return keys
    .map((key) => (prefix === '' || key.startsWith(`${prefix}/`) ? key : `${prefix}/${key}`))
    .filter((key) => folders.some((folder) => key.startsWith(folder)));
}

class SchemaSearch {
  readonly #store: ObjectStore;
  readonly #scope: SchemaScope;
  readonly #pending: (archives: readonly ArchiveRef[]) => Promise<readonly ArchiveRef[]>;
  readonly #asked: ReadonlySet<string> | null;
  readonly #marks: SchemaMark[] = [];
  readonly #used = new Set<SchemaMark>();
  #untold = false;
  #extent: ArchiveExtent = { archives: 0, bytes: 0 };
  /** The archive before. */
  #last = '';

  constructor(
    store: ObjectStore,
    scope: SchemaScope,
    pending: (archives: readonly ArchiveRef[]) => Promise<readonly ArchiveRef[]>,
  ) {
    this.#store = store;
    this.#scope = scope;
    this.#pending = pending;
    this.#asked = scope.keys === null ? null : new Set(scope.keys);
  }

  async run(): Promise<FoundSchemas> {
    let cursor: string | null = null;
    do {
      const page: ListedPage = await listPage(this.#store, this.#scope, cursor, pageSize);
      await this.#take(page);
      cursor = page.next;
    } while (cursor !== null);
    return {
      marks: this.#marks,
      used: this.#marks.filter((mark) => this.#used.has(mark)),
      extent: this.#extent,
      untold: this.#untold,
    };
  }

  async #take({ archives, metadata }: ListedPage): Promise<void> {
    const [folder = ''] = this.#scope.folders;
    const schemas = await this.#read(archives, metadata);
    const asked = archives.filter(({ name }) => this.#isAsked(archiveKey(folder, name)));
    this.#extent = {
      archives: this.#extent.archives + asked.length,
      bytes: asked.reduce((sum, { bytes }) => sum + bytes, this.#extent.bytes),
    };
    const wanted = new Set(await this.#pending(asked));
    for (const archive of archives) {
      const key = archiveKey(folder, archive.name);
      const own = schemas.get(archive) ?? null;
      const before = this.#marks.at(-1);
      if (own !== null && !sameColumns(own, before?.schema)) this.#marks.push({ key, schema: own });
      const mark = this.#marks.at(-1);
      if (!wanted.has(archive)) continue;
      if (mark === undefined) this.#untold = true;
      else this.#used.add(mark);
    }
  }

  #isAsked(key: string): boolean {
    return this.#asked === null || this.#asked.has(key);
  }

  /** The schemas that lie beside archives of a page. */
  async #read(
    archives: readonly ArchiveRef[],
    sizes: ReadonlyMap<string, number>,
  ): Promise<Map<ArchiveRef, ArchivedSchema>> {
    const schemas = new Map<ArchiveRef, ArchivedSchema>();
    const read = async (archive: ArchiveRef) => {
      const schema = await this.#schemaOf(this.#metadataKey(archive));
      if (schema !== null) schemas.set(archive, schema);
      return schema;
    };
    const bytesOf = (archive: ArchiveRef) => sizes.get(this.#metadataKey(archive)) ?? 0;
    const described = archives.filter(({ metadata }) => metadata !== 'none');
    const smallest = described.toSorted((a, b) => bytesOf(a) - bytesOf(b))[0];
    if (smallest === undefined) return schemas;
    // Sizes tell something only beside one that is known to be without a schema.
    const hasNone = (await read(smallest)) === null;
    const plain = hasNone ? bytesOf(smallest) : Number.NEGATIVE_INFINITY;
    const starts = described.filter((archive) => {
      const follows = isNextBatch(this.#last, archive.name);
      this.#last = archive.name;
      return archive !== smallest && (!follows || bytesOf(archive) > plain + slack);
    });
    let begun = 0;
    const lane = async () => {
      for (let next = starts[begun++]; next !== undefined; next = starts[begun++]) await read(next);
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
    return schemas;
  }

  /** Metadata that cannot be used is told where its archive is loaded. */
  async #schemaOf(key: string): Promise<ArchivedSchema | null> {
    try {
      const bytes = await this.#store.read(key, { signal: this.#scope.signal });
      const metadata = bytes === null ? null : parseMetadata(bytes, key);
      return metadata?.schema === this.#scope.schema ? metadata.tableSchema : null;
    } catch (error) {
      if (error instanceof ThawError && isAboutArchive(error)) return null;
      throw error;
    }
  }

  #metadataKey({ name, metadata }: ArchiveRef): string {
    const [folder = ''] = this.#scope.folders;
    const [sibling = '', suffixed = ''] = metadataKeys(archiveKey(folder, name));
    return metadata === 'sibling' ? sibling : suffixed;
  }
}

function sameColumns(schema: ArchivedSchema, other: ArchivedSchema | undefined): boolean {
  return other !== undefined && JSON.stringify(schema.columns) === JSON.stringify(other.columns);
}

/** Tells whether an archive may be the next batch of the run of another. */
function isNextBatch(before: string, name: string): boolean {
  const last = parseArchiveKey(before);
  const next = parseArchiveKey(name);
  if (last.batch === null || next.batch !== last.batch + 1) return false;
  return momentOf(next.timestamp) - momentOf(last.timestamp) <= longestGap;
}

/** Milliseconds of a moment in the name of an archive, `YYYYMMDDTHHMMSSZ`. */
function momentOf(timestamp: string | null): number {
  return Date.parse(
    (timestamp ?? '').replace(/^(....)(..)(..T..)(..)/, (_, ...parts) => {
      const [year, month, hour, minute] = parts;
      return `${year}-${month}-${hour}:${minute}:`;
    }),
  );
}
