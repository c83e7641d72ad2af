import { z } from '@hono/zod-openapi';
import { type FieldNaming, fieldError, must, parseInput } from '../client/restore-input.ts';
import { databaseOf } from '../client/restore-request.ts';
import { toSnapshotRequest } from '../client/snapshot-request.ts';
import { parseBytes } from '../config/byte-size.ts';
import { parseSeconds } from '../config/duration.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import {
  type CreateSnapshotRequest,
  type SnapshotTableName,
  snapshotDefaults,
} from '../contract/snapshot.ts';
import type { Caller } from './caller.ts';
import { demandOwnSchema, tableOfText, tenantPartOf } from './tenant-part.ts';

/** Seconds without a sign of life after which the work of a worker is given to another. */
const heartbeatSeconds = 20;

const text = z
  .string(must('must be text'))
  .min(1, 'must not be empty')
  .max(1000, 'must have at most 1000 characters');

/** PostgreSQL cuts longer names, and would then mean another one. */
const name = text.refine((value) => Buffer.byteLength(value) <= 63, 'must have at most 63 bytes');

const table = z.union(
  [text, z.strictObject({ schema: name, table: name })],
  must('must be a table, schema.table, or an object with schema and table'),
);

/** Tables of a request, each by its name. */
export const tablesField = z
  .array(table, must('must be a list of tables'))
  .min(1, 'must name at least one table')
  .max(10_000, 'must have at most 10,000 entries');

/** The rows of one tenant. */
export const whereField = z.strictObject(
  { column: name, value: z.string('must be text').max(1000, 'must have at most 1000 characters') },
  must('must be an object with column and value'),
);

/** What is asked of a snapshot that is to be taken, by the names of the flags of `thaw snapshot create`. */
export const snapshotInput = z.strictObject(
  {
    database: text.optional().openapi({ description: 'As configured; default: the only one.' }),
    tables: tablesField.optional().openapi({
      description: "`table` of the token's schema, `schema.table`, or an object with schema and table.",
    }),
    schemas: z
      .array(name, must('must be a list of schemas'))
      .max(1000, 'must have at most 1000 entries')
      .optional()
      .openapi({ description: 'Schemas of which every table is taken.' }),
    where: whereField
      .optional()
      .openapi({ description: "Only rows with this value. Without root: always the tenant's own rows." }),
    name: text.optional().openapi({ description: 'For people; default: the id.' }),
    keep: text
      .refine((value) => parseSeconds(value) !== null, 'must be a time such as 30d')
      .optional()
      .openapi({ description: 'When it expires, such as 30d; default: never.' }),
    readers: z
      .int(must('must be a whole number from 1 to 64'))
      .min(1, 'must be a whole number from 1 to 64')
      .max(64, 'must be a whole number from 1 to 64')
      .default(snapshotDefaults.readers)
      .openapi({ description: 'Tables read at the same time.' }),
    part_size: text
      .refine((value) => (parseBytes(value) ?? 0) > 0, 'must be a size such as 64MiB')
      .default('128MiB')
      .openapi({ description: 'Of rows before compression, after which another file is begun.' }),
  },
  must('must be an object of settings'),
);

/**
 * The request to take a snapshot that a body asks for. Rows and schemas are those that the caller may see.
 *
 * @throws ThawError `InputInvalid`
 * @throws ApiError `FORBIDDEN` for rows or a schema of somebody else
 */
export function toCreateRequest(
  body: unknown,
  { config, tenantColumn }: { readonly config: ThawConfig; readonly tenantColumn: string },
  id: string,
  caller: Caller,
): CreateSnapshotRequest {
  const given = parseInput(snapshotInput, body);
  const { schemas = [], where = null, keep, readers } = given;
  const database = databaseOf(given.database, config).name;
  const tables = readTables(given.tables ?? [], caller.namespace, (field) => field);
  if (tables.length === 0 && schemas.length === 0) throw fieldError('tables', 'or schemas is required');
  demandOwnSchema(caller, [...schemas, ...tables.map(({ schema }) => schema)]);
  const input = {
    ...({ database, tables, schemas, readers, type: 'manual', by: caller.subject } as const),
    name: given.name ?? null,
    tenant: tenantPartOf(caller, tenantColumn, where, 'where'),
    keep: keep === undefined ? null : parseSeconds(keep),
    partBytes: parseBytes(given.part_size) ?? snapshotDefaults.partBytes,
  };
  return toSnapshotRequest(config, input, id, heartbeatSeconds);
}

/** Tables by their names. @throws ThawError `InputInvalid` */
export function readTables(
  tables: z.output<typeof tablesField>,
  namespace: string,
  naming: FieldNaming,
): SnapshotTableName[] {
  return tables.map((one) => (typeof one === 'string' ? tableOfText(one, namespace, naming('tables')) : one));
}
