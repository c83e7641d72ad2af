import { createHash } from 'node:crypto';
import { findDatabase } from './database-config.ts';
import type { ServiceConfig, StoreConfig, ThawConfig } from './thaw-config.ts';

/**
 * What a restore reads from and writes to, as 16 hex digits: a request carries it, and a worker whose
 * own is another one refuses the request, so that nothing is restored into a namesake. Passwords and
 * keys are not in it: they may change while a restore runs.
 *
 * @throws ThawError `InputInvalid` when the database is not configured
 */
export function fingerprint(config: ThawConfig, databaseName: string): string {
  const { host, port, name, user } = findDatabase(config, databaseName);
  return digest([...storeIdentity(config.store), host, port, name, user]);
}

/** The same for a restore of a dump: the database of a service, and where its dumps lie. */
export function serviceFingerprint({ connection, maintenance, dumps, filePrefix }: ServiceConfig): string {
  const { host, port, name, user } = connection;
  return digest([
    ...(dumps === null ? [] : storeIdentity(dumps)),
    filePrefix,
    host,
    port,
    name,
    user,
    maintenance,
  ]);
}

/** The same for a store alone. */
export function storeFingerprint(store: StoreConfig): string {
  return digest(storeIdentity(store));
}

function digest(identity: readonly (string | number | null)[]): string {
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 16);
}

function storeIdentity(store: StoreConfig): readonly (string | null)[] {
  return store.kind === 's3'
    ? ['s3', store.endpoint, store.bucket, store.prefix]
    : ['folder', store.path, store.prefix];
}
