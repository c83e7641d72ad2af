import { compareArchiveOrder, metadataKeys, parseArchiveKey } from '../archive/key.ts';
import { type ArchivedSchema, parseMetadata } from '../archive/metadata.ts';
import type { ArchiveRef } from '../contract/activities.ts';
import { archiveKey } from '../contract/names.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { isAboutArchive } from './archive-error.ts';
import { type ListedPage, listPage } from './listing.ts';

/** A schema and the archive that it was written with: it holds for those after it, until the next. */
export interface SchemaMark {
  /** Full key. */
  readonly key: string;
  readonly schema: ArchivedSchema;
}

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

/** The schemas of a table's archives. */
export interface FoundSchemas {
  /** In archive order, one only where it is another than the one before. */
  readonly marks: readonly SchemaMark[];
  /** Those of them that archives which are to be loaded go by. */
  readonly used: readonly SchemaMark[];
  /** There are archives to be loaded for which none is known: their records tell. */
  readonly untold: boolean;
}

/** Archives listed at a time. */
const pageSize = 1000;

/** Metadata that is read at a time: a request takes far longer than parsing what it brings. */
const atOnce = 16;

/**
 * Bytes by which metadata of one table differ without a schema, by their numbers and sampled keys. A schema
 * takes some 400 for one column, and more with each.
 */
const slack = 300;

/**
 * Finds the schemas that archives were written with. Only metadata that may hold one is read: a listing tells
 * sizes, and the archiver writes a schema with the first batch of a run only, which makes its metadata several
 * times as large as that of the others.
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
  return new SchemaSearch(store, { ...within, startDate: null }, async (archives) => {
    const from = within.startDate ?? '';
    return pending(archives.filter(({ name }) => (parseArchiveKey(name).day ?? '') >= from));
  }).run();
}

/** Of keys as they are given, with the prefix or without it, the full ones of archives in some folders. */
export function wholeKeys(keys: readonly string[], prefix: string, folders: readonly string[]): string[] {
  return keys
    .map((key) => (prefix === '' || key.startsWith(`${prefix}/`) ? key : `${prefix}/${key}`))
    .filter((key) => folders.some((folder) => key.startsWith(folder)));
}

/** The schema that holds for an archive; null where none is known. */
export function schemaFor(marks: readonly SchemaMark[], key: string): ArchivedSchema | null {
  return marks.findLast((mark) => compareArchiveOrder(mark.key, key) <= 0)?.schema ?? null;
}

class SchemaSearch {
  readonly #store: ObjectStore;
  readonly #scope: SchemaScope;
  readonly #pending: (archives: readonly ArchiveRef[]) => Promise<readonly ArchiveRef[]>;
  readonly #asked: ReadonlySet<string> | null;
  readonly #marks: SchemaMark[] = [];
  readonly #used = new Set<SchemaMark>();
  #untold = false;
  /** The size of the smallest metadata without a schema; null: every one so far had one. */
  #plainBytes: number | null = null;

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
      untold: this.#untold,
    };
  }

  async #take({ archives, metadata }: ListedPage): Promise<void> {
    const [folder = ''] = this.#scope.folders;
    const schemas = await this.#read(archives, metadata);
    const wanted = new Set(
      await this.#pending(archives.filter(({ name }) => this.#isAsked(archiveKey(folder, name)))),
    );
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
    const bySize = archives
      .filter(({ metadata }) => metadata !== 'none')
      .map((archive) => ({ archive, bytes: sizes.get(this.#metadataKey(archive)) ?? 0 }))
      .toSorted((a, b) => a.bytes - b.bytes);
    const [smallest, ...others] = bySize;
    if (smallest === undefined) return schemas;
    let plain = this.#plainBytes;
    if (plain === null || smallest.bytes < plain) {
      plain = (await read(smallest.archive)) === null ? smallest.bytes : null;
      this.#plainBytes = plain ?? this.#plainBytes;
    } else others.push(smallest);
    const large = others.filter(({ bytes }) => plain === null || bytes > plain + slack);
    let begun = 0;
    const lane = async () => {
      for (let next = large[begun++]; next !== undefined; next = large[begun++]) await read(next.archive);
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
