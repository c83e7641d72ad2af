// Two services with two databases, dumped, damaged, and restored together by `thaw restore-system`:
//
//     npx thaw dev                                                   # in another terminal, or any PostgreSQL
//     THAW_DATABASE_URL=postgresql://… node examples/two-services/run.mjs
//
// It makes argus_db and hermes_db on that server, which must not be there, and drops them at the end. Needs pg_dump,
// pg_restore and psql in PATH, and `npm run build`, or thaw as a package.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import pg from 'pg';

const here = import.meta.dirname;
const folder = mkdtempSync(path.join(tmpdir(), 'two-services-'));
const backups = path.join(folder, 'backups');
mkdirSync(backups);
const say = (line) => process.stdout.write(`${line}\n`);
const server = new URL(process.env.THAW_DATABASE_URL ?? 'postgresql://postgres@localhost:5432/postgres');
const urlOf = (database) => Object.assign(new URL(server), { pathname: `/${database}` }).href;

async function query(sql, database = 'postgres') {
  const client = new pg.Client({ connectionString: urlOf(database) });
  await client.connect();
  try {
    const result = await client.query(sql);
    return (Array.isArray(result) ? result.at(-1) : result).rows;
  } finally {
    await client.end();
  }
}

const part = (name, httpPort) => ({
  [`${name}_DB_HOST`]: server.hostname,
  [`${name}_DB_PORT`]: server.port || '5432',
  [`${name}_DB_USER`]: decodeURIComponent(server.username),
  [`${name}_DB_PASSWORD`]: decodeURIComponent(server.password),
  [`${name}_HTTP_PORT`]: httpPort,
});
// The command runs its own Temporal server and worker, so that no other worker needs this system.yaml.
const { TEMPORAL_ADDRESS: _, THAW_CONFIG: __, ...rest } = process.env;
const env = {
  ...rest,
  ...part('ARGUS', '3001'),
  ...part('HERMES', '3003'),
  BACKUP_DIR: backups,
  SERVICE_SCRIPT: path.join(here, 'service.mjs'),
};

const sql = {
  argus: 'create table users (id int primary key, name text); insert into users select i, md5(i::text) from generate_series(1, 1000) i',
  hermes: 'create table transactions (id int primary key, amount numeric); insert into transactions select i, i / 7.0 from generate_series(1, 5000) i',
};
const counts = async () => {
  const ask = async (url) => (await (await fetch(url)).json()).count;
  return `users ${await ask('http://127.0.0.1:3001/api/users')}, transactions ${await ask('http://127.0.0.1:3003/api/transactions')}`;
};

function stopServices() {
  for (const name of ['argus', 'hermes']) {
    const file = path.join(folder, `${name}.pid`);
    if (!existsSync(file)) continue;
    try {
      process.kill(Number(readFileSync(file, 'utf8')));
    } catch {
      // It has ended already.
    }
  }
}

async function untilWell() {
  for (let tries = 0; tries < 100; tries += 1) {
    try {
      return await counts();
    } catch {
      await sleep(100);
    }
  }
  throw new Error('the services do not start');
}

const made = [];
try {
  const stamp = new Date().toISOString().replaceAll(/[-:]/g, '').replace('T', '_').slice(0, 15);
  for (const name of ['argus', 'hermes']) {
    await query(`create database ${name}_db`);
    made.push(`${name}_db`);
    await query(sql[name], `${name}_db`);
    const dump = execFileSync('pg_dump', [`--dbname=${urlOf(`${name}_db`)}`, '--no-owner'], { maxBuffer: 2 ** 30 });
    writeFileSync(path.join(backups, `${name}_${stamp}.sql.gz`), gzipSync(dump));
  }
  const system = path.join(folder, 'system.yaml');
  writeFileSync(system, readFileSync(path.join(here, 'system.yaml')));
  for (const name of ['argus', 'hermes']) {
    const command = `node "$SERVICE_SCRIPT" ${name} >${name}.log 2>&1 & echo $! >${name}.pid`;
    execFileSync('/bin/sh', ['-c', command], { cwd: folder, env });
  }
  say(`Dumped:   ${await untilWell()}`);
  await query('delete from users where id > 10', 'argus_db');
  await query('truncate transactions', 'hermes_db');
  say(`Damaged:  ${await counts()}`);
  const { status } = spawnSync('npx', ['thaw', 'restore-system', 'opareta', '--system', system, '--yes'], {
    cwd: here,
    env,
    stdio: 'inherit',
  });
  if (status !== 0) process.exitCode = 1;
  say(`Restored: ${await untilWell()}`);
} finally {
  stopServices();
  const left = await query(
    `select datname from pg_database where datname = any('{${made.join(',')}}') or datname ~ '^(argus|hermes)_db__old_'`,
  );
  for (const { datname } of made.length > 0 ? left : []) await query(`drop database "${datname}" with (force)`);
  rmSync(folder, { recursive: true, force: true });
}
