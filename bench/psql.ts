import type { PostgresServer } from '../src/stack/postgres-server.ts';
import { database, table } from './audit-log.ts';
import { cleanEnvironment, runCommand } from './command.ts';
import type { Contestant } from './contestant.ts';

/**
 * psql's version line.
 *
 * @throws Error when it is not there
 */
export async function psqlVersion(): Promise<string> {
  try {
    return (await runCommand('psql', ['--version'], cleanEnvironment())).stdout.trim();
  } catch (cause) {
    const hint = 'install the PostgreSQL client (Debian: postgresql-client, macOS: libpq)';
    throw new Error(`The benchmark measures against psql, which is not on PATH: ${hint}`, { cause });
  }
}

/** `psql \copy` of the ready CSV: what one would do by hand, had one decompressed and converted everything. */
export function psqlCopy(server: PostgresServer, csvFile: string): Contestant {
  const env = { ...cleanEnvironment(), PGPASSWORD: server.password };
  const copy = `\\copy public.${table} from '${csvFile.replaceAll("'", "''")}' with (format csv)`;
  const url = `postgresql://${server.user}@${server.host}:${server.port}/${database}`;
  const args = ['--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', '--command', copy, url];
  return {
    name: 'psql \\copy of the ready CSV',
    lanes: null,
    servers: ['postgres'],
    run: async () => {
      const { seconds } = await runCommand('psql', args, env);
      return { seconds, cpuSeconds: null, peakBytes: null, parts: {} };
    },
  };
}
