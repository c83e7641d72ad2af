import { execFile } from 'node:child_process';
import { chownSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from '../../../src/stack/port.ts';
import { postgresUser } from '../../../src/stack/postgres-user.ts';
import { serverPrograms } from '../../harness/server-programs.ts';

const run = promisify(execFile);

/** A cluster of its own that archives its WAL, to be backed up and recovered. */
export interface ArchivedCluster {
  /** Everybody may enter it; removed at the end. */
  readonly folder: string;
  /** The archive. */
  readonly wal: string;
  readonly client: pg.Client;
  /** Makes a folder below that PostgreSQL may write to. */
  own(name: string): Promise<string>;
  /** Runs pg_basebackup; gives the folder. */
  backUp(name: string, ...args: readonly string[]): Promise<string>;
  /** Rows of a statement in a cluster that was recovered into a folder below, which is stopped then. */
  rowsAndStop(into: string, port: number, sql: string): Promise<unknown[]>;
  /** Has the WAL archived up to now. */
  archiveNow(): Promise<void>;
  close(): Promise<void>;
}

export async function createArchivedCluster(): Promise<ArchivedCluster> {
  const user = postgresUser();
  const bin = path.dirname(serverPrograms().pgCtl);
  // Below the run's own folder PostgreSQL may not come, where it is another user.
  const folder = await mkdtemp('/tmp/thaw-pitr-');
  const at = (name: string) => path.join(folder, name);
  const own = async (name: string) => {
    await mkdir(at(name));
    if (user !== null) chownSync(at(name), user.uid, user.gid);
    return at(name);
  };
  if (user !== null) chownSync(folder, user.uid, user.gid);
  const wal = await own('wal');
  const as = { ...(user ?? {}), cwd: folder, env: { PATH: process.env.PATH, LC_ALL: 'C' } };
  const data = at('source');
  await run(
    path.join(bin, 'initdb'),
    ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '--encoding=UTF8'],
    as,
  );
  const port = await freePort();
  await appendFile(
    path.join(data, 'postgresql.conf'),
    [
      `port = ${port}`,
      `listen_addresses = ''`,
      `unix_socket_directories = '${folder}'`,
      'fsync = off',
      'archive_mode = on',
      `archive_command = 'test ! -f ${wal}/%f && cp %p ${wal}/%f.new && mv ${wal}/%f.new ${wal}/%f'`,
      // What leads to other files must not lead a recovered cluster there.
      `data_directory = '${data}'`,
      `hba_file = '${data}/pg_hba.conf'`,
      '',
    ].join('\n'),
  );
  const control = (...args: string[]) => run(path.join(bin, 'pg_ctl'), ['-D', data, '-w', '-s', ...args], as);
  await control('start', '-l', at('source.log'));
  const client = new pg.Client({ host: folder, port, user: 'postgres', database: 'postgres' });
  await client.connect();
  return {
    folder,
    wal,
    client,
    own,
    backUp: async (name, ...args) => {
      const target = at(name);
      const place = ['-h', folder, '-p', String(port), '-U', 'postgres', '--checkpoint=fast', '--no-sync'];
      await run(path.join(bin, 'pg_basebackup'), [...place, '-D', target, ...args], as);
      return target;
    },
    rowsAndStop: async (into, atPort, sql) => {
      const recovered = new pg.Client({ host: into, port: atPort, user: 'postgres', database: 'postgres' });
      try {
        await recovered.connect();
        return (await recovered.query(sql)).rows;
      } finally {
        await recovered.end();
        await run(
          path.join(bin, 'pg_ctl'),
          ['-D', path.join(into, 'data'), '-w', '-s', '-m', 'fast', 'stop'],
          as,
        );
      }
    },
    archiveNow: async () => {
      const { rows } = await client.query<{ name: string }>(
        'select pg_walfile_name(pg_switch_wal() - 1) as name',
      );
      const name = rows[0]?.name ?? '';
      const until = Date.now() + 30_000;
      while (!(await readdir(wal)).includes(name)) {
        if (Date.now() > until) throw new Error(`${name} was not archived`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    close: async () => {
      await client.end();
      await control('stop', '-m', 'immediate');
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
