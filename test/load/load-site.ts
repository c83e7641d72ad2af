import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import type { AskedRange } from '../../src/config/row-range.ts';
import type { ArchiveRef, HeldTarget, LoadOutcome } from '../../src/contract/activities.ts';
import { defaultRestoreOptions, type RestoreOptions } from '../../src/contract/restore-request.ts';
import { ConflictHints } from '../../src/load/conflict-hints.ts';
import { loadArchives } from '../../src/load/load.ts';
import { LoadProgress } from '../../src/load/load-progress.ts';
import { askedTarget } from '../../src/postgres/asked-target.ts';
import { readTarget } from '../../src/postgres/catalog.ts';
import { type ConnectionConfig, connect, disconnect } from '../../src/postgres/connection.ts';
import { ensureSchema } from '../../src/postgres/schema.ts';
import { takeTarget } from '../../src/postgres/targets.ts';
import type { SchemaMark } from '../../src/restore/schema-migration.ts';
import { FolderStore } from '../../src/store/folder-store.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { type ArchivedRow, type ArchiveOptions, writeArchive } from '../harness/archive-writer.ts';
import { createTestDatabase } from '../harness/postgres.ts';

/** Archives of the table `items`, or another one, lie here. */
const database = 'app';
const day = '2026-01-04';

/** A database and a folder of archives, for loads without Temporal. */
export interface LoadSite {
  /** As superuser, outside of any load. */
  readonly pg: pg.Client;
  /** Where the archives are. */
  readonly store: ObjectStore;
  /** Writes the archive of a batch; without metadata and manifest, unless metadata is asked for. */
  archive(
    batch: number,
    rows: readonly ArchivedRow[],
    options?: Partial<Pick<ArchiveOptions, 'corrupt' | 'tableSchema' | 'timestampColumn'>> & {
      readonly metadata?: boolean;
    },
  ): Promise<ArchiveRef>;
  /** A restore that has taken the table. */
  restore(table: string, options?: Partial<RestoreOptions>, restoreId?: string): Promise<SiteRestore>;
  close(): Promise<void>;
}

/** A restore at a site. */
export interface SiteRestore {
  readonly restoreId: string;
  readonly target: HeldTarget;
  readonly hints: ConflictHints;
  /** Starts a load. */
  load(archives: readonly ArchiveRef[], firstOrdinal: number, how?: LoadHow): RunningLoad;
}

/** How a load is disturbed. */
export interface LoadHow {
  /** @default 1 */
  readonly attempt?: number;
  /** Waited for before an archive, by its name, is read. */
  readonly gates?: ReadonlyMap<string, Promise<void>>;
  /** Called with each statement, after it succeeded and before the load learns of it; may break the connection. */
  readonly after?: (statement: string, client: pg.Client) => Promise<void>;
  readonly signal?: AbortSignal;
  /** The session takes this role. */
  readonly role?: string;
  /** Another epoch than the restore's. */
  readonly target?: HeldTarget;
  /** Only rows of this time. */
  readonly range?: AskedRange;
  /** That the restore has found before. */
  readonly schemas?: readonly SchemaMark[];
}

/** A load that was started. */
export interface RunningLoad {
  readonly outcome: Promise<LoadOutcome>;
  /** What it has sent to PostgreSQL so far, COPY included. */
  readonly statements: readonly string[];
  /** Of its session. */
  readonly applicationName: string;
}

/** @param name begins the name of the database */
export async function createLoadSite(name: string): Promise<LoadSite> {
  const created = await createTestDatabase(name);
  const folder = await mkdtemp(join(tmpdir(), 'thaw-load-'));
  const store = new FolderStore({ kind: 'folder', path: folder, prefix: '' });
  const config: ConnectionConfig = { ...created, database: created.name };
  const client = await connect(config, { applicationName: 'test' });
  await ensureSchema(client);
  return {
    pg: client,
    store,
    archive: (batch, rows, options = {}) => writeRef(store, batch, rows, options),
    restore: async (table, options = {}, restoreId = `load-${randomBytes(4).toString('hex')}`) => {
      const asked = { ...defaultRestoreOptions, ...options };
      const catalog = askedTarget(await readTarget(client, 'public', table), asked);
      const target = await takeTarget(
        client,
        { restoreId, workflow: `test/${restoreId}` },
        { oid: catalog.rootOid, schema: 'public', table, ordered: catalog.hasUnique },
      );
      const hints = new ConflictHints();
      const load = (archives: readonly ArchiveRef[], firstOrdinal: number, how: LoadHow = {}) => {
        const statements: string[] = [];
        const attempt = how.attempt ?? 1;
        const outcome = loadArchives(
          {
            scope: {
              restoreId,
              fingerprint: '',
              database,
              table: { table: 'items', schema: 'public', intoSchema: 'public', intoTable: table },
            },
            target: how.target ?? target,
            options: asked,
            folder: `${database}/items/`,
            named: false,
            archives,
            firstOrdinal,
            what: `load ${firstOrdinal}`,
          },
          {
            store: gated(store, how.gates ?? new Map()),
            target: catalog,
            progress: new LoadProgress(),
            hints,
            range: how.range ?? null,
            schemas: how.schemas ?? [],
            sharedFolder: false,
            attempt,
            signal: how.signal ?? new AbortController().signal,
            connect: async (applicationName) => {
              const session = await connect(config, { applicationName });
              if (how.role !== undefined) await session.query(`set role ${how.role}`);
              return watched(session, statements, how.after);
            },
          },
        );
        // Whoever awaits it is told; meanwhile it is not unhandled.
        outcome.catch(() => {});
        const applicationName = `thaw/${restoreId}/${target.oid}.${firstOrdinal}/${attempt}`;
        return { outcome, statements, applicationName };
      };
      return { restoreId, target, hints, load };
    },
    close: async () => {
      await disconnect(client);
      await created.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A promise and what resolves it: something to wait for at a {@link LoadHow} gate. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

async function writeRef(
  store: ObjectStore,
  batch: number,
  rows: readonly ArchivedRow[],
  options: Partial<Pick<ArchiveOptions, 'corrupt' | 'tableSchema' | 'timestampColumn'>> & {
    readonly metadata?: boolean;
  },
): Promise<ArchiveRef> {
  const put = async (key: string, body: Buffer) => {
    if (options.metadata === true || key.endsWith('.gz'))
      await store.write(key, body, 'application/octet-stream');
  };
  const written = await writeArchive(put, {
    prefix: '',
    database,
    table: 'items',
    archivedAt: new Date(`${day}T05:20:21Z`),
    batch,
    rows,
    primaryKey: 'id',
    manifest: false,
    ...(options.corrupt === undefined ? {} : { corrupt: options.corrupt }),
    ...(options.tableSchema === undefined ? {} : { tableSchema: options.tableSchema }),
    ...(options.timestampColumn === undefined ? {} : { timestampColumn: options.timestampColumn }),
  });
  const folder = written.key.slice(0, written.key.lastIndexOf('/') + 1);
  const { objects } = await store.list({ prefix: folder, after: written.key.slice(0, -1), limit: 1 });
  const [object] = objects;
  if (object === undefined) throw new Error(`${written.key} was not written`);
  return {
    name: written.key.slice(`${database}/items/`.length),
    bytes: object.bytes,
    etag: object.etag,
    metadata: options.metadata === true ? 'sibling' : 'none',
  };
}

/** The store, where some archives are only given once their gate is open. */
function gated(store: FolderStore, gates: ReadonlyMap<string, Promise<void>>): ObjectStore {
  const wait = async (key: string, signal: AbortSignal | undefined) => {
    const opened = gates.get(key.slice(`${database}/items/`.length));
    if (opened === undefined || signal === undefined) return opened;
    let stop = () => {};
    const stopped = new Promise<void>((_, reject) => {
      stop = () => reject(signal.reason);
      signal.addEventListener('abort', stop);
    });
    await Promise.race([opened, stopped]).finally(() => signal.removeEventListener('abort', stop));
  };
  return {
    name: store.name,
    list: (options) => store.list(options),
    open: async (key, options) => {
      await wait(key, options?.signal);
      return store.open(key, options);
    },
    read: async (key, options) => {
      await wait(key, options?.signal);
      return store.read(key, options);
    },
    write: (key, body) => store.write(key, body),
    writeStream: (key, chunks) => store.writeStream(key, chunks),
    remove: (key) => store.remove(key),
    close: () => {},
  };
}

/** Notes what a client sends. */
function watched(client: pg.Client, statements: string[], after: LoadHow['after']): pg.Client {
  const query = client.query.bind(client) as (...values: unknown[]) => unknown;
  const note = (...values: unknown[]) => {
    const [first] = values;
    const text =
      typeof first === 'string' ? first : typeof first === 'object' && first !== null && 'text' in first;
    const statement = typeof text === 'string' ? text : String((first as { text?: unknown }).text);
    statements.push(statement);
    const answer = query(...values);
    if (!(answer instanceof Promise) || after === undefined) return answer;
    return answer.then(async (result: unknown) => {
      await after(statement, client);
      return result;
    });
  };
  client.query = note as typeof client.query;
  return client;
}
