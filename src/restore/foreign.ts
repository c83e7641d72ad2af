import type { ArchiveCounts, TableError } from '../contract/outcome.ts';
import type { TableRequest } from '../contract/restore-request.ts';
import { formatCount } from './format.ts';
import { foreignArchives } from './tally.ts';

/** Tells of archives in the table's folder that were left out, a line for each schema they are from. */
export function describeForeign({ foreign = {} }: ArchiveCounts): string[] {
  return Object.entries(foreign).map(([schema, count]) => {
    const archives = count === 1 ? '1 archive belongs' : `${formatCount(count)} archives belong`;
    return `${archives} to the table of this name in schema ${schema} and ${count === 1 ? 'was' : 'were'} left out.`;
  });
}

/** The error of a table whose every archive turned out to be of another schema; null for any other. */
export function onlyForeign(archives: ArchiveCounts, { table, schema }: TableRequest): TableError | null {
  const { restored, earlier, failed } = archives;
  if (foreignArchives(archives) === 0 || restored + earlier + failed > 0) return null;
  const [other = ''] = Object.keys(archives.foreign ?? {});
  return {
    code: 'SchemaIncompatible',
    message: `${table}: no archive is of schema ${schema}. ${describeForeign(archives).join(' ')}`,
    hint: foreignHint(other),
  };
}

/** How archives of another schema are restored. */
export function foreignHint(schema: string): string {
  return `Configure the table with \`schema: ${schema}\`, or ask for it by the API as { "table": …, "schema": "${schema}" }.`;
}
