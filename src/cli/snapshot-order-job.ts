import type { DatabaseConfig } from '../config/thaw-config.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import type { ForeignKey, TableName } from '../postgres/foreign-keys.ts';
import { listTables } from '../postgres/snapshot-foreign-keys.ts';
import { databaseError } from '../postgres/sqlstate.ts';
import { nameOf, orderTables, type TableOrder } from '../snapshot/order/table-order.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import type { Printer } from './printer.ts';

/** What is asked of the catalog. */
export interface OrderJob {
  readonly database: DatabaseConfig;
  /** Null: of every schema, unless tables are named. */
  readonly schema: string | null;
  /** `[schema.]name` */
  readonly tables: readonly string[];
  readonly json: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
}

/**
 * Prints in which order tables are restored.
 *
 * @throws ThawError `TargetMissing` for a name that is no table, and what connecting throws
 */
export async function printOrder({
  database,
  schema,
  tables,
  json,
  env,
  printer,
}: OrderJob): Promise<ExitCode> {
  const order = await withDatabase(database, env, { applicationName: 'thaw-order' }, async (client) => {
    try {
      const all = schema === null && tables.length > 0 ? [] : await listTables(client, schema);
      const names = new Map([...tables.map(readName), ...all].map((name) => [nameOf(name), name]));
      return await orderTables(client, [...names.values()]);
    } catch (error) {
      throw databaseError(error, { object: 'foreign keys' });
    }
  });
  if (json) printer.line(JSON.stringify(orderJson(order)));
  else for (const line of orderLines(order)) printer.line(line);
  return exitCodes.done;
}

/** Reads `[schema.]name`; the schema is `public` unless one is named. */
export function readName(text: string): TableName {
  const dot = text.indexOf('.');
  return dot === -1
    ? { schema: 'public', table: text }
    : { schema: text.slice(0, dot), table: text.slice(dot + 1) };
}

function orderJson({ groups, inside, outward, inward }: TableOrder) {
  const key = ({ name, child, parent, deferrable }: ForeignKey) => ({
    name,
    table: nameOf(child),
    refersTo: nameOf(parent),
    deferrable,
  });
  return {
    groups: groups.map((group) => group.map(nameOf)),
    foreignKeys: inside.map(key),
    toOtherTables: outward.map(key),
    ofOtherTables: inward.map(key),
  };
}

function orderLines({ groups, inside, outward, inward }: TableOrder): string[] {
  if (groups.length === 0) return ['No tables'];
  const width = `${groups.length}`.length;
  const tell = ({ name, child, parent }: ForeignKey) => `${name} of ${nameOf(child)} to ${nameOf(parent)}`;
  const own = inside.filter(({ child, parent }) => nameOf(child) === nameOf(parent));
  return [
    ...groups.map((group, place) => {
      const circle = group.length > 1 ? '  (in a circle)' : '';
      return `${`${place + 1}`.padStart(width)}  ${group.map(nameOf).join(', ')}${circle}`;
    }),
    ...own.map((key) => `Note: ${key.name} of ${nameOf(key.child)} refers to the table itself`),
    ...outward.map((key) => `Note: ${tell(key)}, which is not among them`),
    ...inward.map((key) => `Note: ${tell(key)}: the former is not among them`),
  ];
}
