import { listTableArchives } from '../client/archive-list.ts';
import { type ArchiveFacts, readArchiveFacts } from '../client/metadata-totals.ts';
import type { RestoreInput } from '../client/restore-input.ts';
import { foldersOfTable } from '../client/table-folders.ts';
import { findDatabase } from '../config/database-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { formatBytes, formatCount } from '../restore/format.ts';
import type { ObjectInfo, ObjectStore } from '../store/object-store.ts';
import { openStore } from '../store/open-store.ts';
import { describeFrozen, frozenObjects } from '../store/storage-class.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import type { Printer } from './printer.ts';

/** What is asked of the store. */
export interface ListJob {
  readonly config: ThawConfig;
  readonly input: Pick<RestoreInput, 'database' | 'tables'>;
  /** Reads the metadata of every archive, which tells its rows and schema. @default true */
  readonly withRows?: boolean;
  readonly json: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
}

/** An archive, and what its metadata says; null: not asked for. */
interface ListedArchive extends ObjectInfo {
  readonly facts: ArchiveFacts | null;
}

/** Prints the archives of tables: key, size, when each was written, and which schema it is from where that is not one for all. */
export async function printArchives(job: ListJob): Promise<ExitCode> {
  const { config, input, withRows = true, json, env, printer } = job;
  const database = findDatabase(config, input.database ?? '');
  const { prefix } = config.store;
  const store = openStore(config.store, env);
  try {
    const found: ListedArchive[] = [];
    for (const each of input.tables ?? []) {
      const table = typeof each === 'string' ? each : each.table;
      const folders = foldersOfTable(prefix, database, table);
      const archives = await withFacts(store, await listTableArchives(store, prefix, folders), withRows);
      if (json) found.push(...archives);
      else for (const line of archiveLines(`${database.name}.${table}`, archives)) printer.line(line);
    }
    if (json) printer.line(JSON.stringify({ database: database.name, archives: found.map(archiveJson) }));
    return exitCodes.done;
  } finally {
    store.close();
  }
}

async function withFacts(
  store: ObjectStore,
  archives: readonly ObjectInfo[],
  withRows: boolean,
): Promise<ListedArchive[]> {
  const keys = archives.map(({ key }) => key);
  const facts = withRows ? await readArchiveFacts(store, keys) : [];
  return archives.map((archive, place) => ({ ...archive, facts: facts[place] ?? null }));
}

/** Archives as a table for people. */
export function archiveLines(name: string, archives: readonly ListedArchive[]): string[] {
  if (archives.length === 0) return [`No archives of ${name}.`];
  const bytes = archives.reduce((sum, archive) => sum + archive.bytes, 0);
  const schemas = countSchemas(archives);
  const isShared = schemas.size > 1;
  return [
    ...archives.map(({ key, bytes, modifiedAt, facts }) =>
      [
        formatBytes(bytes).padStart(10),
        `${modifiedAt.slice(0, 19)}Z`,
        ...(isShared ? [schemaOf(facts).padEnd(longest(schemas.keys()))] : []),
        key,
      ].join('  '),
    ),
    `${formatCount(archives.length)} archives of ${name}, ${formatBytes(bytes)}`,
    ...(isShared
      ? [...schemas].map(([schema, count]) => `  of schema ${schema}: ${formatCount(count)}`)
      : []),
    ...describeFrozen(frozenObjects(archives)),
  ];
}

/** Archives by schema; nothing where it was not asked for. */
function countSchemas(archives: readonly ListedArchive[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { facts } of archives) {
    if (facts !== null) counts.set(schemaOf(facts), (counts.get(schemaOf(facts)) ?? 0) + 1);
  }
  // One that tells nothing is of the only schema that the others tell of.
  if (counts.size === 2) counts.delete(untold);
  return counts;
}

const untold = '?';

function schemaOf(facts: ArchiveFacts | null): string {
  return facts?.schema ?? untold;
}

function longest(texts: Iterable<string>): number {
  return Math.max(0, ...[...texts].map((text) => text.length));
}

function archiveJson({ key, bytes, modifiedAt, etag, storageClass, facts }: ListedArchive) {
  const told = facts === null ? {} : { schema: facts.schema, rows: facts.rows };
  return { key, bytes, modifiedAt, etag, storageClass, ...told };
}
