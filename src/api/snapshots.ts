import type { z } from '@hono/zod-openapi';
import { stableJson } from '../client/restore-id.ts';
import type { SnapshotClient } from '../client/snapshot-client.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { CreateSnapshotRequest, SnapshotManifest, SnapshotTableName } from '../contract/snapshot.ts';
import type { ControlDatabase } from '../control/control-database.ts';
import { type ListQuery, listRecords, type Page, type RecordListing } from '../control/list.ts';
import { findManifest, listSnapshots, type SnapshotPlace } from '../snapshot/container/stored-snapshots.ts';
import { removeUnused } from '../snapshot/container/unused-snapshots.ts';
import type { TableOrder } from '../snapshot/order/table-order.ts';
import { ApiError } from './api-error.ts';
import type { Caller } from './caller.ts';
import { keyTaken } from './idempotency.ts';
import { toCreateRequest } from './snapshot-input.ts';
import {
  type SnapshotRecord,
  type snapshotDetail,
  toSnapshotDetail,
  toSnapshotRecord,
  toTakingDetail,
} from './snapshot-json.ts';
import type { SnapshotTools } from './snapshot-tools.ts';
import { isVisiblePart } from './tenant-part.ts';

/** What snapshots take. */
export interface SnapshotsDependencies {
  readonly config: ThawConfig;
  /** Where passwords of databases are looked for. */
  readonly env: NodeJS.ProcessEnv;
  readonly control: Pick<ControlDatabase, 'use'>;
  readonly place: SnapshotPlace;
  readonly client: Pick<SnapshotClient, 'start' | 'describe' | 'failure' | 'cancel'>;
  /** The column that tells whose a row is. */
  readonly tenantColumn: string;
  readonly tools: SnapshotTools;
}

/** How snapshots are listed. */
const listing: RecordListing = {
  fields: {
    id: 'text',
    name: 'text',
    type: 'text',
    database: 'text',
    tables: 'list',
    total_rows: 'number',
    bytes: 'number',
    created_at: 'time',
    created_by: 'text',
    expires_at: 'time',
  },
  order: [{ field: 'created_at', direction: 'desc' }],
};

/** What every id looks like; nothing else is looked for. */
const anId = /^[a-z0-9-]{1,32}$/;

/**
 * The snapshots in the store, and those on their way there: what was taken is told by its manifest, for as long as it
 * lies there, and the others by Temporal, for as long as it remembers.
 */
export class Snapshots {
  readonly #dependencies: SnapshotsDependencies;

  constructor(dependencies: SnapshotsDependencies) {
    this.#dependencies = dependencies;
  }

  /** A page of those that the caller may see. @throws ThawError `InputInvalid` */
  async list(query: ListQuery, caller: Caller): Promise<Page<SnapshotRecord>> {
    const { control, place } = this.#dependencies;
    const { snapshots } = await listSnapshots(place);
    const records = snapshots.filter((one) => this.#isVisible(one, caller)).map(toSnapshotRecord);
    return control.use((client) => listRecords(client, listing, records, query));
  }

  /** What one holds, or how far it is. @throws ApiError `RECORD_NOT_FOUND` */
  async detail(id: string, caller: Caller): Promise<z.output<typeof snapshotDetail>> {
    const { client } = this.#dependencies;
    const taken = await this.#findTaken(id, caller);
    if (taken !== null) return toSnapshotDetail(taken);
    const { taking, request } = await this.#findTaking(id, caller);
    // It may have come to its end just now.
    if (taking.standing === 'completed') return toSnapshotDetail(await this.taken(id, caller));
    const error = taking.standing === 'failed' ? await client.failure(id) : null;
    return toTakingDetail(request, taking, error);
  }

  /** What one holds that lies in the store. @throws ApiError `RECORD_NOT_FOUND` */
  async taken(id: string, caller: Caller): Promise<SnapshotManifest> {
    const manifest = await this.#findTaken(id, caller);
    if (manifest === null) throw snapshotNotFound(id);
    return manifest;
  }

  /**
   * Has one taken.
   *
   * @param id follows from the Idempotency-Key, where there is one
   * @returns whether the same request had begun it before
   * @throws ThawError `InputInvalid`
   * @throws ApiError `FORBIDDEN`; `CONFLICT` when the key stands for another request
   */
  async take(body: unknown, id: string, caller: Caller): Promise<boolean> {
    const { client, place } = this.#dependencies;
    const request = toCreateRequest(body, this.#dependencies, id, caller);
    // Temporal forgets what has ended; what lies in the store stays.
    const manifest = await findManifest(place, id);
    if (manifest === null && (await client.start(request))) return false;
    const earlier = (await client.describe(id))?.request ?? null;
    const same = earlier === null ? isOf(manifest, request) : stableJson(earlier) === stableJson(request);
    if (!same) throw keyTaken(id);
    return true;
  }

  /** Asks for one that is being taken to be given up. @throws ApiError `RECORD_NOT_FOUND`, `CONFLICT` where it has ended */
  async cancel(id: string, caller: Caller): Promise<void> {
    const { client } = this.#dependencies;
    if ((await this.#findTaken(id, caller)) !== null) throw ended(id, 'taken');
    const { taking } = await this.#findTaking(id, caller);
    if (taking.endedAt !== null) throw ended(id, taking.standing);
    await client.cancel(id);
  }

  /**
   * Deletes one with its rows.
   *
   * @throws ApiError `RECORD_NOT_FOUND`, `CONFLICT` while it is being taken
   * @throws ThawError `TargetBusy` while a restore needs it
   */
  async remove(id: string, caller: Caller): Promise<void> {
    const { place } = this.#dependencies;
    if ((await this.#findTaken(id, caller)) === null) {
      const { taking } = await this.#findTaking(id, caller);
      if (taking.endedAt !== null) throw snapshotNotFound(id);
      throw new ApiError('CONFLICT', `The snapshot ${id} is being taken.`, {
        hint: `Wait for its end, or give it up: POST /api/snapshots/${id}/cancel.`,
      });
    }
    await removeUnused(place, this.#dependencies, id);
  }

  /**
   * In which order tables of one are restored.
   *
   * @param chosen gives those of its tables
   * @throws ApiError `RECORD_NOT_FOUND`
   * @throws ThawError `InputInvalid` for a table that it does not hold; `TargetMissing` for one that is gone
   */
  async order(
    id: string,
    chosen: (manifest: SnapshotManifest) => readonly SnapshotTableName[],
    caller: Caller,
    signal: AbortSignal,
  ): Promise<TableOrder> {
    const manifest = await this.taken(id, caller);
    return this.#dependencies.tools.orderTables(manifest.database, chosen(manifest), signal);
  }

  async #findTaken(id: string, caller: Caller): Promise<SnapshotManifest | null> {
    if (!anId.test(id)) throw snapshotNotFound(id);
    const manifest = await findManifest(this.#dependencies.place, id);
    if (manifest !== null && !this.#isVisible(manifest, caller)) throw snapshotNotFound(id);
    return manifest;
  }

  async #findTaking(id: string, caller: Caller) {
    const taking = await this.#dependencies.client.describe(id);
    const request = taking?.request ?? null;
    if (taking === null || request === null || !this.#isVisible(request, caller)) throw snapshotNotFound(id);
    return { taking, request };
  }

  #isVisible({ tenant }: Pick<SnapshotManifest, 'tenant'>, caller: Caller): boolean {
    return isVisiblePart(caller, this.#dependencies.tenantColumn, tenant);
  }
}

/** Whether a snapshot that Temporal has forgotten is what a request asks for, as far as it tells. */
function isOf(manifest: SnapshotManifest | null, { name, database, tenant }: CreateSnapshotRequest): boolean {
  if (manifest === null) return false;
  const facts = { name: manifest.name, database: manifest.database, tenant: manifest.tenant };
  return stableJson(facts) === stableJson({ name, database, tenant });
}

/** There is no snapshot of that id, or none that the caller may see. */
export function snapshotNotFound(id: string): ApiError {
  return new ApiError('RECORD_NOT_FOUND', `There is no snapshot ${id.slice(0, 200)}.`, {
    hint: 'GET /api/snapshots lists those that there are.',
  });
}

function ended(id: string, how: string): ApiError {
  return new ApiError('CONFLICT', `The snapshot ${id} is not being taken any more: it is ${how}.`, {
    hint: `See what it holds: GET /api/snapshots/${id}.`,
  });
}
