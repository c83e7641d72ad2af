import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type pg from 'pg';
import type { SnapshotManifest, SnapshotTableName, TenantPart } from '../../../src/contract/snapshot.ts';
import type { SnapshotPreview } from '../../../src/contract/snapshot-preview.ts';
import { LoadProgress } from '../../../src/load/load-progress.ts';
import { readTarget } from '../../../src/postgres/catalog.ts';
import { connect, disconnect } from '../../../src/postgres/connection.ts';
import { dropSnapshotStage, stageSchema } from '../../../src/postgres/snapshot-stage.ts';
import type { MergeOptions } from '../../../src/snapshot/merge/merge-tables.ts';
import { previewTables } from '../../../src/snapshot/merge/preview-tables.ts';
import { type RestoredTables, restoreTables } from '../../../src/snapshot/merge/restore-tables.ts';
import { orderTables } from '../../../src/snapshot/order/table-order.ts';
import { containerSource, containerTable } from '../../../src/snapshot/read/container-source.ts';
import { stageTables } from '../../../src/snapshot/stage/stage-tables.ts';
import { takeSnapshot } from '../../../src/snapshot/write/take-snapshot.ts';
import { FolderStore } from '../../../src/store/folder-store.ts';
import { openSession, type Session } from '../../postgres/session.ts';

/** What is restored, and how. */
export interface ExactRestore {
  readonly tenant: TenantPart | null;
  readonly newerBy: string | null;
  /** From what cost on foreign keys are taken off for speed. @default that of any restore */
  readonly slowKeys?: number | undefined;
}

/** A database and a folder: snapshots are taken into it and restored from it, with nothing left out but Temporal. */
export interface ExactSite {
  readonly session: Session;
  readonly client: pg.Client;
  /** @param user @default the superuser */
  take(
    tables: readonly SnapshotTableName[],
    tenant: TenantPart | null,
    user?: string,
  ): Promise<SnapshotManifest>;
  restore(
    manifest: SnapshotManifest,
    restore: ExactRestore,
    options?: MergeOptions & {
      readonly merger?: pg.Client;
      /** Takes what is told of it before. */
      onPreview?(preview: SnapshotPreview): void;
    },
  ): Promise<RestoredTables>;
  close(): Promise<void>;
}

export async function openExactSite(name: string): Promise<ExactSite> {
  const session = await openSession(name);
  const folder = await mkdtemp(path.join(tmpdir(), 'thaw-exact-'));
  const place = { store: new FolderStore({ kind: 'folder', path: folder, prefix: '' }), prefix: 'P' };
  const signal = new AbortController().signal;
  const { client } = session;
  return {
    session,
    client,
    take: (tables, tenant, user) =>
      takeSnapshot({
        request: {
          ...({
            id: randomBytes(6).toString('hex'),
            type: 'manual',
            by: 'ada',
            name: '',
            keep: null,
          } as const),
          ...{ fingerprint: '', database: session.config.database, tables, schemas: [], tenant },
          ...{ readers: 2, partBytes: 500 },
        },
        place,
        progress: new LoadProgress(),
        signal,
        withConnection: async (applicationName, _until, action) => {
          const own = await session.open(user, applicationName);
          try {
            return await action(own);
          } finally {
            await disconnect(own);
          }
        },
      }),
    restore: async (manifest, { tenant, newerBy, slowKeys }, given = {}) => {
      const { merger = client, onPreview, ...options } = given;
      const { groups } = await orderTables(client, manifest.tables);
      const wanted: { name: string; target: Awaited<ReturnType<typeof readTarget>> }[] = [];
      for (const { schema, table } of groups.flat()) {
        const target = await readTarget(client, schema, table);
        wanted.push({ name: containerTable(target), target });
      }
      const schema = stageSchema(manifest.id);
      const connectStage = () => connect(session.config, { applicationName: 'stage' });
      const source = containerSource(place, manifest.id, manifest.tables);
      const staged = await stageTables(source, wanted, {
        ...{ schema, connections: 2, connect: connectStage, exact: true, signal },
      });
      try {
        const tables = staged.map((rows) => ({ ...rows, tenant, newerBy }));
        onPreview?.(await previewTables(client, tables, { slowKeys }));
        return await restoreTables(merger, tables, { slowKeys, ...options });
      } finally {
        await dropSnapshotStage(client, schema);
      }
    },
    close: async () => {
      await session.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
