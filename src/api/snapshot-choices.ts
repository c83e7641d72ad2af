import type { z } from 'zod';
import { toPointInTime } from '../client/point-in-time.ts';
import { type FieldNaming, fieldError } from '../client/restore-input.ts';
import { databaseOf } from '../client/restore-request.ts';
import { parseSource } from '../client/snapshot-source.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { SnapshotRequest, SnapshotSource, SnapshotTableName } from '../contract/snapshot.ts';
import type { PointInTime } from '../contract/snapshot-replay.ts';
import type { Caller } from './caller.ts';
import { readTables, type tablesField, type whereField } from './snapshot-input.ts';
import type { SnapshotTools } from './snapshot-tools.ts';
import { type Snapshots, snapshotNotFound } from './snapshots.ts';
import { demandOwnSchema, tableOfText, tenantPartOf } from './tenant-part.ts';

/** What of which snapshot is meant: rows, schemas and snapshots are those that the caller may see. */
export type SnapshotChoice = Pick<
  SnapshotRequest,
  'source' | 'database' | 'tables' | 'tenant' | 'newerBy' | 'schemaStrategy' | 'pointInTime'
>;

/** The same as a request says it. */
export interface AskedChoice {
  readonly database?: string | undefined;
  readonly tables?: z.output<typeof tablesField> | undefined;
  readonly where?: z.output<typeof whereField> | undefined;
  readonly newer_by?: string | undefined;
  readonly schema_migration_strategy: SnapshotRequest['schemaStrategy'];
  readonly to?: string | undefined;
  readonly log?: string | undefined;
  readonly since?: string | undefined;
  readonly accept_log_faults?: boolean;
}

/** What choosing takes. */
export interface SnapshotChoicesDependencies {
  readonly config: ThawConfig;
  readonly snapshots: Pick<Snapshots, 'taken'>;
  readonly tools: Pick<SnapshotTools, 'tenantOfRow'>;
  readonly tenantColumn: string;
}

/** Chooses what of a snapshot is restored or looked at, within what the caller may see. */
export class SnapshotChoices {
  readonly #dependencies: SnapshotChoicesDependencies;

  constructor(dependencies: SnapshotChoicesDependencies) {
    this.#dependencies = dependencies;
  }

  /** The rows that a caller may have, whatever it asks for. @throws ApiError `FORBIDDEN` where others are asked for */
  partOf(caller: Caller, where: AskedChoice['where'], naming: FieldNaming): SnapshotRequest['tenant'] {
    return tenantPartOf(caller, this.#dependencies.tenantColumn, where ?? null, naming('where'));
  }

  /**
   * @param ref a snapshot's id, a UUID of `backup_pitr_snapshots`, or the key of an object
   * @throws ThawError `InputInvalid`
   * @throws ApiError `RECORD_NOT_FOUND` for a snapshot that is not there or not the caller's; `FORBIDDEN` for rows or
   * a schema of somebody else
   */
  async choose(
    ref: string,
    asked: AskedChoice,
    caller: Caller,
    naming: FieldNaming,
  ): Promise<SnapshotChoice> {
    const { config } = this.#dependencies;
    const database = databaseOf(asked.database, config, naming).name;
    const tenant = this.partOf(caller, asked.where, naming);
    const source = parseSource(ref);
    const held = await this.#tablesOf(source, database, caller);
    const named = asked.tables === undefined ? null : readTables(asked.tables, caller.namespace, naming);
    return {
      ...{ source, database, tenant, newerBy: asked.newer_by ?? null },
      tables: caller.access === 'root' ? named : ownTables(named ?? held, caller, naming),
      schemaStrategy: asked.schema_migration_strategy,
      pointInTime: readPointInTime(asked, caller, naming),
    };
  }

  /** The tables of one that the caller may see; null where only opening it tells them. @throws ApiError `RECORD_NOT_FOUND` */
  async #tablesOf(
    source: SnapshotSource,
    database: string,
    caller: Caller,
  ): Promise<readonly SnapshotTableName[] | null> {
    const { snapshots, tools } = this.#dependencies;
    if (source.kind === 'stored') {
      const { tables } = await snapshots.taken(source.id, caller);
      return tables.map(({ schema, table }) => ({ schema, table }));
    }
    if (caller.access === 'root') return null;
    const isOwn =
      source.kind === 'object'
        ? this.#isOwnKey(source.key, caller)
        : (await tools.tenantOfRow(database, source.id)) === caller.tenant;
    if (!isOwn) throw snapshotNotFound(source.kind === 'object' ? source.key : source.id);
    return null;
  }

  /** `{tenant}/{job}-backup.json`, with or without the prefix of the store. */
  #isOwnKey(key: string, { tenant }: Caller): boolean {
    const folder = this.#dependencies.config.store.prefix.replace(/\/+$/, '');
    const own = key.startsWith(`${folder}/`) && folder !== '' ? key.slice(folder.length + 1) : key;
    return own.startsWith(`${tenant}/`) && !own.slice(tenant.length + 1).includes('/');
  }
}

/** A log that is named is one of the caller's; of the other one only its own entries are read. */
function readPointInTime(
  { to, log, since, accept_log_faults: acceptFaults = false }: AskedChoice,
  caller: Caller,
  naming: FieldNaming,
): PointInTime | null {
  const named = log === undefined ? null : tableOfText(log, caller.namespace, naming('log'));
  if (named !== null) demandOwnSchema(caller, [named.schema]);
  return toPointInTime({ to: to ?? null, log: named, since: since ?? null, acceptFaults }, naming);
}

/** Who is not root names tables where the snapshot itself cannot be asked, and all are of its schema. */
function ownTables(
  tables: readonly SnapshotTableName[] | null,
  caller: Caller,
  naming: FieldNaming,
): readonly SnapshotTableName[] {
  if (tables === null) throw fieldError(naming('tables'), 'is required of such a snapshot');
  demandOwnSchema(
    caller,
    tables.map(({ schema }) => schema),
  );
  return tables;
}
