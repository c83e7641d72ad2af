import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DatabaseConfig } from '../../../src/config/thaw-config.ts';
import { passfileText, programAccess } from '../../../src/dump/tools/passfile.ts';
import { withPrivateFolder } from '../../../src/dump/tools/private-folder.ts';
import { runProgram } from '../../../src/dump/tools/run-program.ts';
import { quoteIdentifier } from '../../../src/postgres/identifier.ts';
import { clientPrograms, describeWithPrograms } from '../../harness/client-programs.ts';
import { asAdministrator, createTestDatabase, type TestDatabase } from '../../harness/postgres.ts';

const password = String.raw`p:a\s's w\\ö`;
const role = `pass:${randomBytes(4).toString('hex')}\\`;
const oddName = `odd = name's host=nowhere \\${randomBytes(4).toString('hex')}`;

let database: TestDatabase;
let config: DatabaseConfig;

beforeAll(async () => {
  database = await createTestDatabase('passfile');
  await asAdministrator(
    `create role ${quoteIdentifier(role)} login password '${password.replaceAll("'", "''")}'`,
  );
  await asAdministrator(`create database ${quoteIdentifier(oddName)}`);
  config = {
    name: oddName,
    host: database.host,
    port: database.port,
    user: role,
    password: { env: 'SECRET' },
    sslMode: 'prefer',
    sslRootCert: null,
    tables: [],
  };
});

afterAll(async () => {
  await asAdministrator(`drop database if exists ${quoteIdentifier(oddName)} with (force)`);
  await asAdministrator(`drop role if exists ${quoteIdentifier(role)}`);
  await database.drop();
});

/** Runs a query by psql and gives its output and messages. */
async function psql(query: string, secret: string) {
  return withPrivateFolder({}, async (folder) => {
    const env = { SECRET: secret, PGOPTIONS: '-c default_transaction_read_only=on', PGUSER: 'other' };
    const access = await programAccess(folder, config, env, 'thaw/some restore/load');
    const lines: string[] = [];
    let output = '';
    const args = ['--no-psqlrc', '--no-password', '--tuples-only', '--no-align'];
    await runProgram({
      program: clientPrograms().psql,
      args: [...args, `--dbname=${access.dbname}`, `--command=${query}`],
      env: access.env,
      signal: new AbortController().signal,
      onMessage: (line) => lines.push(line),
      onOutput: async (chunks) => {
        for await (const chunk of chunks) output += chunk.toString();
      },
    });
    const modes = [await stat(access.env.PGPASSFILE ?? ''), await stat(folder)].map(
      ({ mode }) => mode & 0o777,
    );
    return { output: output.trim(), lines, access, modes };
  });
}

describeWithPrograms('a client program', () => {
  test('reaches the database by its passfile, under its name, whatever is in name and password', async () => {
    const { output, lines, access, modes } = await psql(
      `select current_database(), current_user, current_setting('application_name'),
         current_setting('default_transaction_read_only')`,
      password,
    );
    expect(lines).toEqual([]);
    expect(output).toBe(`${oddName}|${role}|thaw/some restore/load|off`);
    expect(modes).toEqual([0o600, 0o700]);
    expect(JSON.stringify(access)).not.toContain(JSON.stringify(password).slice(1, -1));
  });

  test('is refused with another password, and asks for none', async () => {
    const { output, lines } = await psql('select 1', 'wrong');
    expect(output).toBe('');
    expect(lines.join('\n')).toContain('password authentication failed');
  });
});

test('a passfile escapes what separates its fields, and knows that libpq calls the default socket localhost', () => {
  const text = passfileText({ ...config, host: 'fe80::1', user: 'u:s\\r' }, 'a:b\\');
  expect(text).toBe(`fe80\\:\\:1:${database.port}:*:u\\:s\\\\r:a\\:b\\\\\n`);
  expect(passfileText({ ...config, host: '/run/pg', user: 'u' }, 'x')).toBe(
    `/run/pg:${database.port}:*:u:x\nlocalhost:${database.port}:*:u:x\n`,
  );
  expect(() => passfileText({ ...config, user: 'u' }, 'a\nb')).toThrow('has a line break');
});

test('certificates are checked by the authorities that the configuration names, else by those of Node', async () => {
  const env = { SECRET: 'x' };
  await withPrivateFolder({}, async (folder) => {
    const full = { ...config, sslMode: 'verify-full' as const };
    const access = await programAccess(folder, full, env, 'x');
    expect(access.env.PGSSLMODE).toBe('verify-full');
    expect(await readFile(access.env.PGSSLROOTCERT ?? '', 'utf8')).toBe(rootCertificates.join('\n'));
  });
  await withPrivateFolder({}, async (folder) => {
    const own = { ...config, sslMode: 'verify-ca' as const, sslRootCert: '/etc/own.crt' };
    expect((await programAccess(folder, own, env, 'x')).env.PGSSLROOTCERT).toBe('/etc/own.crt');
  });
});
