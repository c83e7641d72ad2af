import { type ArchivedTable, tableFolders, tableOfKey, tablePrefix } from '../archive/key.ts';
import { configuredTables, findDatabase, onlyDatabase } from '../config/database-config.ts';
import { fingerprint } from '../config/fingerprint.ts';
import { rowRangeOf } from '../config/row-range.ts';
import type { DatabaseConfig, ThawConfig } from '../config/thaw-config.ts';
import {
  type DropIndexesChoice,
  defaultRestoreOptions,
  type RestoreOptions,
  type RestoreRequest,
  type TableRequest,
} from '../contract/restore-request.ts';
import { archivedSchema, refuseSameTarget, requestedTables } from './requested-tables.ts';
import { asIs, type FieldNaming, fieldError, type RestoreInput } from './restore-input.ts';

/** What a request needs besides what the user asks for. */
export interface RequestSettings {
  /** @default that of `defaultRestoreOptions` */
  readonly heartbeatSeconds?: number;
  /** How messages name a field. @default as it stands in JSON */
  readonly naming?: FieldNaming;
}

/**
 * Makes the request that workflows take out of what a user asks for: finds the database, says for each table
 * where it was archived from and where it goes, and takes the place of what was left out.
 *
 * Archives named by their keys are restored whatever the ledger says; `restore_all` wins over them.
 *
 * @throws ThawError `InputInvalid`
 */
export function toRestoreRequest(
  input: RestoreInput,
  config: ThawConfig,
  restoreId: string,
  settings: RequestSettings = {},
): RestoreRequest {
  const naming = settings.naming ?? asIs;
  refuseContradictions(input, naming);
  refuseTrust(input, config, naming);
  const keys = input.restore_all ? null : keysOf(input);
  if (keys === null && !input.restore_all) {
    throw fieldError(naming('restore_all'), `or ${naming('s3_key')} is required`);
  }
  const scope = keys === null ? wholeTables(input, config, naming) : archives(input, keys, config, naming);
  const options = restoreOptions(input, keys !== null || !config.restoreWatermark.enabled, settings);
  const { database } = scope;
  const tables = scope.tables ?? configuredTables(findDatabase(config, database));
  for (const table of tables) rowRangeOf(config, { database, table }, options);
  return {
    restoreId,
    fingerprint: fingerprint(config, scope.database),
    database: scope.database,
    tables: scope.tables,
    keys,
    options,
  };
}

/** Where a request reads and writes. */
interface Scope {
  readonly database: string;
  readonly tables: readonly TableRequest[] | null;
}

/** The archives named; null when none is. */
function keysOf(input: RestoreInput): readonly string[] | null {
  const keys = [...(input.s3_key === undefined ? [] : [input.s3_key]), ...(input.s3_keys ?? [])];
  return keys.length === 0 ? null : [...new Set(keys)];
}

function wholeTables(input: RestoreInput, config: ThawConfig, naming: FieldNaming): Scope {
  const database = databaseOf(input.database, config, naming);
  return { database: database.name, tables: requestedTables(input, database, naming) };
}

/** The tables of some archives: as the keys say, or as the request says where they go. */
function archives(
  input: RestoreInput,
  keys: readonly string[],
  config: ThawConfig,
  naming: FieldNaming,
): Scope {
  const { prefix } = config.store;
  const places = keys.map((key) => placeOf(key, prefix, naming));
  const database = databaseOf(input.database ?? places[0]?.database, config, naming);
  const foreign = places.find((place) => place.database !== database.name);
  if (foreign !== undefined) {
    throw fieldError(naming('s3_key'), `must be an archive of the database ${database.name}`, foreign.key);
  }
  const isNamed = input.table !== undefined || input.tables !== undefined;
  const named = isNamed ? (requestedTables({ ...input, into_table: undefined }, database, naming) ?? []) : [];
  const archived = [...new Set(places.map((place) => place.table))];
  const tables = archived.map((table): TableRequest => {
    const same = named.find((each) => each.table === table);
    // The old way of naming another target: the key tells where from, --table where to.
    const other = archived.length === 1 && named.length === 1 ? named[0] : undefined;
    const inKey = places.find((place) => place.table === table)?.schema;
    const schema = same?.schema ?? inKey ?? archivedSchema(table, input.schema, database.tables, naming);
    return {
      table,
      schema,
      intoSchema: same?.intoSchema ?? other?.intoSchema ?? input.schema ?? schema,
      intoTable: input.into_table ?? same?.intoTable ?? other?.intoTable ?? table,
    };
  });
  refuseSameTarget(tables, naming);
  return { database: database.name, tables };
}

/**
 * The database that a field names, else the only one configured.
 *
 * @throws ThawError `InputInvalid`
 */
export function databaseOf(
  name: string | undefined,
  config: ThawConfig,
  naming: FieldNaming = asIs,
): DatabaseConfig {
  if (name !== undefined) return findDatabase(config, name);
  const only = onlyDatabase(config);
  if (only !== null) return only;
  const names = config.databases.map((database) => database.name).join(', ');
  throw fieldError(naming('database'), 'is required', undefined, `Name one of ${names}.`);
}

/** @throws ThawError `InputInvalid` for a key that is not in the folder of a table */
function placeOf(key: string, prefix: string, naming: FieldNaming): ArchivedTable & { readonly key: string } {
  const place = tableOfKey(key, prefix);
  const whole = prefix === '' || key.startsWith(`${prefix}/`) ? key : `${prefix}/${key}`;
  if (place !== null) {
    const folders = tableFolders(prefix, place.database, place.table, place.schema ?? '');
    if (folders.some((folder) => whole.startsWith(folder))) return { ...place, key };
  }
  const folder = tablePrefix(prefix, '{database}', '{table}');
  throw fieldError(naming('s3_key'), `must lie below ${folder}`, key);
}

function refuseContradictions(input: RestoreInput, naming: FieldNaming): void {
  if (input.table !== undefined && input.tables !== undefined) {
    throw fieldError(naming('tables'), `and ${naming('table')} must not both be there`);
  }
  const { start_date: start, end_date: end } = input;
  const dated = start === undefined ? 'end_date' : 'start_date';
  if (!input.restore_all && (start ?? end) !== undefined) {
    throw fieldError(naming(dated), `goes with ${naming('restore_all')} only`, start ?? end);
  }
  if (start !== undefined && end !== undefined && start > end) {
    throw fieldError(naming('start_date'), `must not be after ${naming('end_date')} ${end}`, start);
  }
}

/** A watermark can be believed only where one is read. */
function refuseTrust(input: RestoreInput, config: ThawConfig, naming: FieldNaming): void {
  if (!input.trust_watermark) return;
  if (!input.restore_all) {
    throw fieldError(naming('trust_watermark'), `goes with ${naming('restore_all')} only`);
  }
  if (input.ignore_watermark) {
    throw fieldError(naming('trust_watermark'), `and ${naming('ignore_watermark')} must not both be there`);
  }
  if (!config.restoreWatermark.enabled) {
    throw fieldError(naming('trust_watermark'), 'needs restore_watermark.enabled in the configuration');
  }
}

function restoreOptions(
  input: RestoreInput,
  passesLedger: boolean,
  settings: RequestSettings,
): RestoreOptions {
  return {
    conflictStrategy: input.conflict_strategy,
    schemaStrategy: input.schema_migration_strategy,
    keyColumns: input.key ?? null,
    columns: input.columns ?? null,
    renamedColumns: input.map_column ?? {},
    disableTriggers: input.disable_triggers,
    undoable: input.undoable,
    createTable: input.create_table,
    unrestorable: input.unrestorable,
    infinity: input.infinity,
    rowsFrom: input.rows_from ?? null,
    rowsTo: input.rows_to ?? null,
    maxRejects: input.max_rejects,
    batchSize: input.batch_size ?? null,
    verifyFirst: input.verify_first,
    trustWatermark: input.trust_watermark,
    lanes: input.lanes,
    packBytes: input.pack_bytes,
    commitFrequency: input.commit_frequency ?? null,
    startDate: input.start_date ?? null,
    endDate: input.end_date ?? null,
    ignoreWatermark: input.ignore_watermark || passesLedger,
    validateChecksums: input.validate_checksum,
    dropIndexes: dropIndexesChoice(input.drop_indexes),
    failFast: input.fail_fast,
    heartbeatSeconds: settings.heartbeatSeconds ?? defaultRestoreOptions.heartbeatSeconds,
  };
}

function dropIndexesChoice(asked: RestoreInput['drop_indexes']): DropIndexesChoice {
  if (asked === 'always') return 'always';
  return asked ? 'when_it_pays' : 'never';
}
