import type { ServiceConfig } from '../../config/thaw-config.ts';
import { withDatabase } from '../../postgres/connect-database.ts';
import { readDatabases } from '../../postgres/databases.ts';
import { type NewRecord, type OldRecord, parseRecord } from './database-record.ts';

/** What Thaw has beside a live database. */
export interface DatabasesBeside {
  /** Replaced by a swap and kept, those replaced last first. */
  readonly kept: readonly Beside<OldRecord>[];
  /** Made by a restore that has not come to its end, the oldest first. */
  readonly loaded: readonly Beside<NewRecord>[];
}

/** A database that Thaw made or keeps. */
export interface Beside<Record> {
  readonly name: string;
  readonly record: Record;
}

/** Looks, in the server of a service, at what Thaw has beside the database of that name. */
export async function databasesBeside(
  { connection, maintenance }: ServiceConfig,
  live: string,
  env: NodeJS.ProcessEnv,
): Promise<DatabasesBeside> {
  const session = { applicationName: 'thaw/status' };
  const databases = await withDatabase({ ...connection, name: maintenance }, env, session, readDatabases);
  const found = databases.flatMap(({ name, comment }) => {
    const record = parseRecord(comment);
    return record?.live === live ? [{ name, record }] : [];
  });
  const kept = found.flatMap(({ name, record }) => (record.thaw === 'old' ? [{ name, record }] : []));
  const loaded = found.flatMap(({ name, record }) => (record.thaw === 'new' ? [{ name, record }] : []));
  return {
    kept: kept.sort((a, b) => (a.record.replacedAt < b.record.replacedAt ? 1 : -1)),
    loaded: loaded.sort((a, b) => (a.record.restore < b.record.restore ? -1 : 1)),
  };
}
