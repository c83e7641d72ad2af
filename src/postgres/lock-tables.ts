import type pg from 'pg';
import type { TargetTable } from './catalog.ts';
import { qualifiedName } from './identifier.ts';
import { withLockTimeout } from './transaction.ts';

/**
 * Keeps others from writing into tables until the transaction that is open ends; they may read them as they were.
 * Taken by their oids, so that two that lock the same tables never wait for each other.
 *
 * @throws what PostgreSQL answers, raw
 */
export async function lockTables(client: pg.Client, targets: readonly TargetTable[]): Promise<void> {
  if (targets.length === 0) return;
  const names = [...targets]
    .sort((one, other) => one.oid - other.oid)
    .map(({ schema, table }) => qualifiedName(schema, table));
  await withLockTimeout(client, () =>
    client.query(`lock table ${names.join(', ')} in share row exclusive mode`),
  );
}
