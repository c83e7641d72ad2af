import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { rootCertificates } from 'node:tls';
import { databasePassword } from '../../config/database-config.ts';
import type { DatabaseConfig } from '../../config/thaw-config.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { applicationName } from '../../postgres/connection.ts';

/** How a client program reaches a database: nothing of it is secret, the password lies in a file. */
export interface ProgramAccess {
  /** Its whole environment: nothing of ours reaches it otherwise. */
  readonly env: NodeJS.ProcessEnv;
  /** For `--dbname`. */
  readonly dbname: string;
}

/** As connections of Thaw itself: a server that is gone is noticed within half a minute. */
const keepalives = 'keepalives_idle=15 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=30000';

/** Seconds that a server gets to answer. */
const connectTimeout = 10;

/**
 * Writes what psql, pg_restore and pg_dump need to connect into a private folder: a passfile, and the
 * certificate authorities of Node where the configuration names none, since libpq has none of its own.
 *
 * @param env where the password is looked for
 * @param name shown in `pg_stat_activity`, by which left-over sessions are found
 * @throws ThawError `ConfigInvalid` when the password's variable is not set, or a passfile cannot hold it
 */
export async function programAccess(
  folder: string,
  database: DatabaseConfig,
  env: NodeJS.ProcessEnv,
  name: string,
): Promise<ProgramAccess> {
  const passfile = path.join(folder, 'passfile');
  await writeFile(passfile, passfileText(database, databasePassword(database, env)), {
    mode: 0o600,
    flag: 'wx',
  });
  return {
    env: {
      // Messages are read by program, so they have to be in English.
      LC_ALL: 'C',
      // Nothing that lies in the user's own folder is taken, such as a .pgpass or root.crt.
      HOME: folder,
      TMPDIR: folder,
      PGHOST: database.host,
      PGPORT: String(database.port),
      PGUSER: database.user,
      PGPASSFILE: passfile,
      PGSSLMODE: database.sslMode,
      ...(await rootCertificate(folder, database)),
      PGGSSENCMODE: 'disable',
      PGCONNECT_TIMEOUT: String(connectTimeout),
      PGAPPNAME: applicationName(name),
    },
    dbname: `dbname=${quoteConnectionValue(database.name)} ${keepalives}`,
  };
}

/**
 * A passfile for one server and user; the database is left open, since psql may change it there.
 * https://www.postgresql.org/docs/current/libpq-pgpass.html
 */
export function passfileText({ host, port, user, name }: DatabaseConfig, password: string): string {
  if (/[\n\r\0]/.test(password + user)) {
    throw new ThawError('ConfigInvalid', `the password of ${user} for database "${name}" has a line break`, {
      object: name,
      hint: 'psql and pg_restore cannot be given such a password. Remove the line break, or set another one.',
    });
  }
  // libpq takes the default folder of Unix sockets for localhost.
  const hosts = host.startsWith('/') ? [host, 'localhost'] : [host];
  const line = (where: string) =>
    [where, String(port), '*', user, password]
      .map((field, index) => (index === 2 ? field : field.replaceAll(/[\\:]/g, '\\$&')))
      .join(':');
  return `${hosts.map(line).join('\n')}\n`;
}

/** A value of a connection string, quoted whatever it holds: bare, a name with `=` in it would be read as settings. */
function quoteConnectionValue(value: string): string {
  return `'${value.replaceAll(/[\\']/g, '\\$&')}'`;
}

async function rootCertificate(
  folder: string,
  { sslMode, sslRootCert }: DatabaseConfig,
): Promise<NodeJS.ProcessEnv> {
  if (sslMode !== 'verify-ca' && sslMode !== 'verify-full') return {};
  if (sslRootCert !== null) return { PGSSLROOTCERT: path.resolve(sslRootCert) };
  const file = path.join(folder, 'root.crt');
  await writeFile(file, rootCertificates.join('\n'), { mode: 0o600, flag: 'wx' });
  return { PGSSLROOTCERT: file };
}
