import type pg from 'pg';
import type { StorageType } from '../config/thaw-config.ts';
import type { AuditEvent } from '../contract/audit-event.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { writeAuditRow } from '../postgres/audit-log.ts';
import { auditKey, formatAuditEvent } from '../restore/audit-event.ts';
import type { ObjectStore } from '../store/object-store.ts';

/** Events of one type in one millisecond, which find keys of their own. */
const mostTries = 100;

/** Where audit events go, by the configuration. */
export interface AuditPlaces {
  readonly storageType: StorageType;
  readonly store: ObjectStore;
  /** What every key begins with, without trailing slash. */
  readonly prefix: string;
  /** Opens a connection to the target database for as long as the action takes. */
  withClient(action: (client: pg.Client) => Promise<void>): Promise<void>;
}

/**
 * Writes an event to each of its places; tried again, it writes nothing anew.
 *
 * @throws ThawError the first error, once each place was tried
 */
export async function writeAuditTrail(places: AuditPlaces, event: AuditEvent): Promise<void> {
  const { storageType, store, prefix } = places;
  const errors: unknown[] = [];
  const attempt = (write: () => Promise<void>) => write().catch((error: unknown) => errors.push(error));
  if (storageType !== 'database') await attempt(() => writeObject(store, prefix, event));
  if (storageType !== 's3') {
    await attempt(() => places.withClient((client) => writeAuditRow(client, event)));
  }
  if (errors.length > 0) throw errors[0];
}

/** The same event finds its own object under its key; that of another event keeps it, and the next microsecond is free. */
async function writeObject(store: ObjectStore, prefix: string, event: AuditEvent): Promise<void> {
  const body = Buffer.from(formatAuditEvent(event));
  for (let later = 0; ; later++) {
    const key = auditKey(prefix, event, later);
    try {
      return await store.write(key, body, 'application/json', null);
    } catch (error) {
      const isTaken = error instanceof ThawError && error.code === 'ArchiveChanged';
      if (!isTaken || later === mostTries) throw error;
    }
    const there = await store.read(key);
    if (there !== null && body.equals(there)) return;
  }
}
