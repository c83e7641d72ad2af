import { mkdtemp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { inject } from 'vitest';
import type { DatabaseConfig } from '../../../src/config/thaw-config.ts';
import type { TestDatabase } from '../../harness/postgres.ts';

/** A test's database as a configuration names it. */
export function databaseConfig(database: TestDatabase, name = database.name): DatabaseConfig {
  const { host, port, user, password } = database;
  return {
    name,
    host,
    port,
    user,
    password: { secret: password },
    sslMode: 'prefer',
    sslRootCert: null,
    tables: [],
  };
}

/** Writes a file into the folder of the run, and gives its path. */
export async function writeTemporary(content: Uint8Array): Promise<string> {
  const folder = await mkdtemp(path.join(inject('stack').folder, 'dump-'));
  const file = path.join(folder, 'dump');
  await writeFile(file, content);
  return file;
}
