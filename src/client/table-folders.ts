import { tableFolders } from '../archive/key.ts';
import type { DatabaseConfig } from '../config/thaw-config.ts';

/** Where the archives of a table may lie, whichever of the schemas known for it they are from. */
export function foldersOfTable(prefix: string, { name, tables }: DatabaseConfig, table: string): string[] {
  const schemas = tables.filter((each) => each.name === table).map(({ schema }) => schema);
  const folders = ['public', ...schemas].flatMap((schema) => tableFolders(prefix, name, table, schema));
  return [...new Set(folders)];
}
