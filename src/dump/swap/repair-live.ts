import type pg from 'pg';
import { allowConnections, commentOnDatabase, readDatabases } from '../../postgres/databases.ts';
import { inTransaction } from '../../postgres/transaction.ts';
import { formatRecord, parseRecord } from './database-record.ts';

/**
 * Opens a database again that a swap closed which broke off before it renamed anything, as a killed process
 * leaves it; does nothing where all is well. Only for who holds the lock of the database: it would undo what
 * another has begun.
 *
 * @param client a session in the maintenance database
 */
export async function repairLive(client: pg.Client, live: string): Promise<void> {
  const databases = await readDatabases(client);
  for (const { name, comment } of databases) {
    const record = parseRecord(comment);
    if (record === null || record.live !== live || record.closed.length === 0) continue;
    await inTransaction(client, async () => {
      for (const closed of databases.filter(({ oid }) => record.closed.includes(oid))) {
        await allowConnections(client, closed.name, true);
      }
      await commentOnDatabase(client, name, formatRecord({ ...record, closed: [] }));
    });
  }
}
