import { listTableArchives } from '../client/archive-list.ts';
import type { RestoreInput } from '../client/restore-input.ts';
import { foldersOfTable } from '../client/table-folders.ts';
import { findDatabase } from '../config/database-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { formatBytes, formatCount } from '../restore/format.ts';
import type { ObjectInfo } from '../store/object-store.ts';
import { openStore } from '../store/open-store.ts';
import { describeFrozen, frozenObjects } from '../store/storage-class.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import type { Printer } from './printer.ts';

/** What is asked of the store. */
export interface ListJob {
  readonly config: ThawConfig;
  readonly input: Pick<RestoreInput, 'database' | 'tables'>;
  readonly json: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
}

/** Prints the archives of tables: key, size, and when each was written. */
export async function printArchives({ config, input, json, env, printer }: ListJob): Promise<ExitCode> {
  const database = findDatabase(config, input.database ?? '');
  const { prefix } = config.store;
  const store = openStore(config.store, env);
  try {
    const found: ObjectInfo[] = [];
    for (const each of input.tables ?? []) {
      const table = typeof each === 'string' ? each : each.table;
      const folders = foldersOfTable(prefix, database, table);
      const archives = await listTableArchives(store, prefix, folders);
      if (json) found.push(...archives);
      else for (const line of archiveLines(`${database.name}.${table}`, archives)) printer.line(line);
    }
    if (json) printer.line(JSON.stringify({ database: database.name, archives: found.map(archiveJson) }));
    return exitCodes.done;
  } finally {
    store.close();
  }
}

/** Archives as a table for people. */
export function archiveLines(name: string, archives: readonly ObjectInfo[]): string[] {
  if (archives.length === 0) return [`No archives of ${name}.`];
  const bytes = archives.reduce((sum, archive) => sum + archive.bytes, 0);
  return [
    ...archives.map(
      ({ key, bytes, modifiedAt }) =>
        `${formatBytes(bytes).padStart(10)}  ${modifiedAt.slice(0, 19)}Z  ${key}`,
    ),
    `${formatCount(archives.length)} archives of ${name}, ${formatBytes(bytes)}`,
    ...describeFrozen(frozenObjects(archives)),
  ];
}

function archiveJson({ key, bytes, modifiedAt, etag, storageClass }: ObjectInfo) {
  return { key, bytes, modifiedAt, etag, storageClass };
}
