import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { oldDatabaseWorkflowId, restoreWorkflowId } from '../../src/contract/names.ts';
import { createDumpSite, type DumpSite } from '../dump/dump-site.ts';
import { until } from '../fault/until.ts';
import { describeWithPrograms, pgDump } from '../harness/client-programs.ts';
import { ThawCommand } from './thaw-command.ts';
import { thawHere } from './thaw-here.ts';

let site: DumpSite;
let folder: string;
let env: NodeJS.ProcessEnv;
/** Without any Temporal given. */
let alone: NodeJS.ProcessEnv;
let file: string;
let content: string;
let damaged: string;

const thaw = (...args: string[]) => thawHere(args, env);

describeWithPrograms('thaw restore-dump', () => {
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'thaw-cli-dump-'));
    await mkdir(path.join(folder, 'spool'));
    site = await createDumpSite('clidump', 'worker', { env: { THAW_SPOOL_DIR: path.join(folder, 'spool') } });
    const config = path.join(folder, 'config.json');
    await writeFile(config, site.thaw.configText);
    const { TEMPORAL_ADDRESS: _, TEMPORAL_NAMESPACE: __, ...rest } = process.env;
    alone = { ...rest, THAW_CONFIG: config, THAW_STATE_DIR: folder };
    const { address, taskQueue } = site.thaw.temporal;
    env = { ...alone, TEMPORAL_ADDRESS: address, THAW_TASK_QUEUE: taskQueue };
    await site.query(
      'create table users (id integer primary key); insert into users select generate_series(1, 7)',
    );
    content = await site.content();
    file = path.join(site.folder, 'argus_20250101_020000.sql.gz');
    await site.put(path.basename(file), gzipSync(await pgDump(site.live)));
    await site.query('delete from users where id > 5');
    damaged = await site.content();
  }, 120_000);

  afterAll(async () => {
    await site.close();
    await rm(folder, { recursive: true });
  });

  test('asks first, and does nothing where nobody is there to answer', async () => {
    const { exitCode, stderr } = await thaw('restore-dump', file, 'argus');
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      `InputInvalid: ${site.live.name} on ${site.live.host}:${site.live.port} is replaced by ${file}; ` +
        'what it holds now is kept under another name for a while. Nobody is there to confirm it.',
    );
    // Whether the dump drops what is there, only itself tells.
    const into = await thaw('restore-dump', file, 'argus', '--mode', 'into-existing');
    expect(into).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('made with --clean drops') });
    const back = await thaw('swap-back', 'argus');
    expect(back).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('Nobody is there') });
    expect(await site.content()).toBe(damaged);
  });

  test('proves and tells in a dry run what it would do, and makes nothing', async () => {
    const custom = path.join(site.folder, 'argus_20250101_030000.dump');
    await writeFile(custom, await pgDump(site.live, '--format=custom'));
    const torn = path.join(site.folder, 'argus_20250101_040000.sql.gz');
    await writeFile(torn, gzipSync(await pgDump(site.live)).subarray(0, -5));
    await site.query(`create table "odd name" (a integer); create function "left"(integer, text) returns integer
      language sql as 'select 1'`);
    const changed = await site.content();
    const kept = async () => {
      const [found] = await site.query(
        `select ${['dump_restores', 'dump_proofs', 'dump_faults']
          .map(
            (table) => `coalesce((xpath('/row/n/text()', query_to_xml(case when
            to_regclass('thaw.${table}') is null then 'select 0 as n' else $$
            select count(*) as n from thaw.${table} as kept where kept::text like '%${site.folder}%'
              or kept::text like '%${site.live.name}%' $$ end, true, true, '')))[1]::text, '0') as ${table}`,
          )
          .join()}`,
        'postgres',
      );
      return found;
    };
    const before = await kept();
    const dry = (...args: string[]) => thaw('restore-dump', ...args, '--dry-run');

    const swap = await dry('argus', '--file', path.basename(file), '--check', 'select true');
    expect(swap).toMatchObject({ exitCode: 0, stderr: '' });
    const { host, port, name } = site.live;
    expect(swap.stdout).toMatch(
      new RegExp(
        `^  1\\. load argus_20250101_020000.sql.gz \\(plain, gzip, \\d+ B, 7 rows in 1 table\\) by psql \\S+ ` +
          `into a new database beside ${name} on ${host}:${port}$`,
        'm',
      ),
    );
    expect(swap.stdout).toContain('  2. compare objects and rows with the dump, ask 1 statement\n');
    expect(swap.stdout).toMatch(/^ {2}3\. give it the owner, .* and its name; end 0 sessions there$/m);
    expect(swap.stdout).toMatch(/^ {2}4\. keep for 24 h the old \S+ \(PostgreSQL .*, 5 rows in 2 tables\)$/m);
    expect(swap.stdout).toContain('Note: Not in the dump: table public."odd name", of ');
    expect(swap.stdout).toContain(
      'Note: Not in the dump: function public."left"(integer,pg_catalog.text), of ',
    );
    expect(swap.stdout.match(/Not in the dump/g)).toHaveLength(2);
    expect(swap.stdout).toMatch(/^Dry run of \S+: nothing was touched, after \d+ s\.$/m);

    const part = await dry(custom, 'argus', '--only-table', 'users', '--data-only', '--json');
    expect(JSON.parse(part.stdout)).toMatchObject({
      ...{ state: 'completed', mode: 'into-existing', report: null, old: null },
      wouldDo: [
        expect.stringMatching(
          /^load a part \(tables users; rows alone\) of .*file in \S+spool, in one transaction$/,
        ),
        expect.any(String),
      ],
    });
    const drop = await dry(custom, 'argus', '--in-place', '--jobs', '3');
    expect(drop.stdout).toMatch(/^ {2}1\. drop \S+ \(.*\), and end 0 sessions there$/m);
    expect(drop.stdout).toContain(', in 3 sessions, which is gone by then');

    const plainPart = await dry(file, 'argus', '--only-table', 'users');
    expect(plainPart).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('is plain SQL') });
    const bad = await dry(torn, 'argus');
    expect(bad).toMatchObject({ exitCode: 3, stdout: expect.stringContaining('ArchiveCorrupt: ') });
    const missing = await dry(file, 'argus', '--into', `${name}_new`);
    expect(missing).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('TargetMissing: ') });

    expect(await kept()).toEqual(before);
    expect(await readdir(path.join(folder, 'spool'))).toEqual([]);
    expect(await site.databases()).toEqual([name]);
    expect(await site.content()).toBe(changed);
    await Promise.all([rm(custom), rm(torn)]);
    await site.query('drop table "odd name"; drop function "left"(integer, text)');
  });

  test('restores a file into a service, tells how, is in the list, and is undone by swap-back', async () => {
    const end = await thaw('restore-dump', file, 'argus', '--yes');
    expect(end).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await site.content()).toBe(content);
    const [, restoreId = ''] = /^Restore (\S+)$/m.exec(end.stdout) ?? [];
    expect(end.stdout).toMatch(/^ *public\.users +5 +7 +7$/m);
    expect(end.stdout).toContain(`Restored ${site.live.name} from argus_20250101_020000.sql.gz (plain, `);
    const [, old = ''] =
      /^The old database is kept as (\S+) until .*: thaw swap-back argus$/m.exec(end.stdout) ?? [];
    expect(await site.databases()).toEqual([site.live.name, old]);

    const status = await thaw('status', restoreId, '--json');
    const watched = await thaw('watch', restoreId, '--json');
    expect(JSON.parse(status.stdout)).toMatchObject({ restoreId, state: 'completed', old: { name: old } });
    expect(JSON.parse(watched.stdout)).toEqual(JSON.parse(status.stdout));
    const list = await thaw('status');
    expect(list.stdout).toMatch(
      new RegExp(`^${restoreId} .* completed +${site.live.name} \\(argus, swap\\)  argus_20250101`, 'm'),
    );
    // Once Temporal has forgotten it, the server of the database tells.
    const unknown = { ...alone, THAW_STATE_DIR: path.join(folder, 'nowhere') };
    const later = await thawHere(['status', restoreId, '--json'], unknown);
    expect(JSON.parse(later.stdout)).toEqual(JSON.parse(status.stdout));

    const back = await thaw('swap-back', 'argus', '--yes', '--json');
    expect(JSON.parse(back.stdout)).toMatchObject({ database: site.live.name, from: old });
    expect(await site.content()).toBe(damaged);
    const { old: kept } = JSON.parse(back.stdout) as { old: string };
    expect(await site.content(kept)).toBe(content);
    // Its time is not over, and nobody is there to confirm that it goes all the same.
    const early = await thaw('drop-old', 'argus');
    expect(early).toMatchObject({ exitCode: 0, stdout: `Kept: ${kept}\n` });
    expect(await thaw('drop-old', 'argus', '--now')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining(`${kept}: dropped for good, with all that is in them.`),
    });
    await site.query(`create database "${site.live.name}__thaw_x"`, 'postgres');
    const loaded = { thaw: 'new', restore: 'x', live: site.live.name, closed: [], state: null };
    await site.query(
      `comment on database "${site.live.name}__thaw_x" is '${JSON.stringify(loaded)}'`,
      'postgres',
    );
    const listed = await thaw('dumps', 'argus');
    expect(listed.stdout).toMatch(
      new RegExp(`^Kept: ${kept}, replaced at \\S+, until \\S+; live again by: thaw swap-back argus$`, 'm'),
    );
    expect(listed.stdout).toContain(`Loaded by restore x, and not live: ${site.live.name}__thaw_x; `);
    await site.query(`drop database "${site.live.name}__thaw_x"`, 'postgres');
    const dropped = await thaw('drop-old', 'argus', '--now', '--yes', '--json');
    expect(JSON.parse(dropped.stdout)).toEqual({ database: site.live.name, dropped: [kept], kept: [] });
    expect(await site.databases()).toEqual([site.live.name]);
    // Its timer will find that it is live again.
    const { host, port } = site.live;
    const dropping = site.thaw.client.workflow.getHandle(oldDatabaseWorkflowId(`${host}:${port}`, old));
    expect((await dropping.describe()).status.name).toBe('RUNNING');
  });

  test('takes the newest, starts it without waiting, and is paused, resumed and cancelled by its id', async () => {
    await site.thaw.stopWorker();
    const flags = ['--latest', '--yes', '--detach', '--json'];
    const { exitCode, stdout } = await thaw('restore-dump', 'argus', ...flags);
    expect(exitCode).toBe(0);
    const { restoreId } = JSON.parse(stdout) as { restoreId: string };
    // The same command joins it.
    expect(JSON.parse((await thaw('restore-dump', 'argus', ...flags)).stdout)).toMatchObject({ restoreId });
    const handle = site.thaw.client.workflow.getHandle(restoreWorkflowId(restoreId));
    await handle.signal('pause', 'lunch', false);
    await site.thaw.startWorker();
    await until('paused', async () => (await site.dumps.progress(restoreId)).state === 'paused');
    const paused = await thaw('status', restoreId);
    expect(paused.stdout).toContain('paused (lunch)  choose');
    expect((await thaw('resume', restoreId)).exitCode).toBe(0);
    await thaw('pause', restoreId, '--now');
    expect((await thaw('cancel', restoreId)).exitCode).toBe(0);
    const watched = await thaw('watch', restoreId);
    expect(watched).toMatchObject({ exitCode: 130 });
    expect(watched.stdout).toContain(`${site.live.name} is as it was.`);
    expect(await site.content()).toBe(damaged);
    expect(await site.databases()).toEqual([site.live.name]);
  });

  test('ends with 3 for a dump that is not good', async () => {
    const cut = path.join(folder, 'cut.sql');
    await writeFile(cut, (await pgDump(site.live)).subarray(0, -60));
    const end = await thaw('restore-dump', 'argus', cut, '--yes');
    expect(end.exitCode).toBe(3);
    expect(end.stdout.split('ArchiveCorrupt: cut.sql')).toHaveLength(2);
    expect(await site.content()).toBe(damaged);
  });

  test('that was killed goes on when the same command is given again, and gives way to another one', async () => {
    await site.query(`
      create function slow() returns boolean language sql as 'select true';
      create table waits (a integer check (slow()));
      insert into waits select generate_series(1, 10);
      create or replace function slow() returns boolean language sql as 'select pg_sleep(0.2) is not null'`);
    const dump = path.join(folder, 'slow.sql');
    await writeFile(dump, await pgDump(site.live));
    const before = await site.content();
    await site.query('drop table waits; drop function slow');
    const args = ['restore-dump', dump, 'argus', '--yes', '--keep-old', '0', '--json'];
    const kill = async (command: ThawCommand) => {
      await until('it loads', async () => (await site.databases()).length === 2, 60_000);
      command.kill('SIGKILL');
      await command.ended();
    };
    await kill(new ThawCommand(args, alone));
    const end = await new ThawCommand(args, alone).ended();
    expect(end).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('begun before, goes on') });
    expect(JSON.parse(end.stdout)).toMatchObject({ state: 'completed', old: null, leftBehind: [] });
    expect(await site.content()).toBe(before);
    expect(await site.databases()).toEqual([site.live.name]);

    // Another one on the same database has the first give way.
    await kill(new ThawCommand(args, alone));
    const other = await new ThawCommand(['restore-dump', file, ...args.slice(2)], alone).ended();
    expect(other).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('gives way') });
    expect(await site.content()).toBe(content);
    expect(await site.databases()).toEqual([site.live.name]);
  }, 180_000);
});
