import type pg from 'pg';
import { findDatabase } from '../config/database-config.ts';
import { fingerprint } from '../config/fingerprint.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { HeldTarget, TableScope } from '../contract/activities.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { readSchemas } from '../postgres/archived-schemas.ts';
import { readTarget, type TargetTable } from '../postgres/catalog.ts';
import { connectDatabase, withDatabase } from '../postgres/connect-database.ts';
import type { SchemaMark } from '../restore/schema-migration.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { ConflictHints } from './conflict-hints.ts';

/** Tables whose catalog a worker remembers at the most. */
const rememberedTargets = 100;

/** What the activities of a worker share: its configuration, its store, and what it remembers. */
export class ThawContext {
  readonly config: ThawConfig;
  readonly store: ObjectStore;
  /** Holds secrets: it never leaves the worker. */
  readonly env: NodeJS.ProcessEnv;
  readonly hints = new ConflictHints();
  readonly #targets = new Map<string, Promise<TargetTable>>();
  readonly #schemas = new Map<string, Promise<readonly SchemaMark[]>>();

  constructor(config: ThawConfig, store: ObjectStore, env: NodeJS.ProcessEnv) {
    this.config = config;
    this.store = store;
    this.env = env;
  }

  /**
   * Refuses work that was asked for under another configuration than this worker's.
   *
   * @throws ThawError `ConfigInvalid`
   */
  checkFingerprint(request: { readonly database: string; readonly fingerprint: string }): void {
    if (fingerprint(this.config, request.database) === request.fingerprint) return;
    throw new ThawError(
      'ConfigInvalid',
      `This worker's configuration of ${request.database} is not the one that the restore was asked for with.`,
      {
        object: request.database,
        hint: 'Give the worker and whoever asks the same store, prefix, host, port, database and user, or task queues of their own.',
      },
    );
  }

  /** Tells whether tables of several schemas are configured whose archives lie in one folder. */
  isShared({ database, table }: TableScope): boolean {
    const configured = findDatabase(this.config, database).tables.filter(({ name }) => name === table.table);
    return new Set([table.schema, ...configured.map(({ schema }) => schema)]).size > 1;
  }

  /** Opens a connection to the database of a request, which the caller ends. */
  async connect(
    request: { readonly database: string; readonly fingerprint: string },
    applicationName: string,
    signal: AbortSignal,
  ): Promise<pg.Client> {
    this.checkFingerprint(request);
    const database = findDatabase(this.config, request.database);
    return connectDatabase(database, this.env, { applicationName, signal });
  }

  /** Does something with a connection of its own. */
  async withConnection<T>(
    request: { readonly database: string; readonly fingerprint: string },
    applicationName: string,
    signal: AbortSignal,
    action: (client: pg.Client) => Promise<T>,
  ): Promise<T> {
    this.checkFingerprint(request);
    const database = findDatabase(this.config, request.database);
    return withDatabase(database, this.env, { applicationName, signal }, action);
  }

  /** The catalog of a target that is held: read once, as it is taken anew (another epoch) when it may have changed. */
  async target(scope: TableScope, held: HeldTarget, signal: AbortSignal): Promise<TargetTable> {
    const { intoSchema, intoTable } = scope.table;
    return this.#once(this.#targets, scope, held, signal, (client) =>
      readTarget(client, intoSchema, intoTable),
    );
  }

  /** The schemas that `migrateSchema` has found for a target that is held. */
  async schemas(scope: TableScope, held: HeldTarget, signal: AbortSignal): Promise<readonly SchemaMark[]> {
    return this.#once(this.#schemas, scope, held, signal, (client) =>
      readSchemas(client, scope.restoreId, held.oid),
    );
  }

  /** Reads something of a target with a connection of its own, and remembers it. */
  async #once<T>(
    remembered: Map<string, Promise<T>>,
    scope: TableScope,
    held: HeldTarget,
    signal: AbortSignal,
    read: (client: pg.Client) => Promise<T>,
  ): Promise<T> {
    const key = `${scope.restoreId}/${held.oid}/${held.epoch}`;
    const known = remembered.get(key);
    if (known !== undefined) return known;
    const answer = this.withConnection(scope, `thaw/${scope.restoreId}/catalog`, signal, read);
    remembered.set(key, answer);
    answer.catch(() => remembered.delete(key));
    const oldest = remembered.keys().next().value;
    if (remembered.size > rememberedTargets && oldest !== undefined) remembered.delete(oldest);
    return answer;
  }
}
