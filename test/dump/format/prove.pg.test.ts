import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DumpRef } from '../../../src/contract/dump-request.ts';
import { ThawError } from '../../../src/contract/thaw-error.ts';
import { type DumpManifest, manifestKey, manifestText } from '../../../src/dump/backup/manifest.ts';
import { type ProvenDump, proveDump } from '../../../src/dump/format/prove.ts';
import { tableName } from '../../../src/dump/format/table-name.ts';
import { FolderStore } from '../../../src/store/folder-store.ts';
import type { ArchiveStore } from '../../../src/store/object-store.ts';
import { clientPrograms, describeWithPrograms, pgDump, runWithUrl } from '../../harness/client-programs.ts';
import { asAdministrator, createTestDatabase, type TestDatabase } from '../../harness/postgres.ts';
import { zooSql } from '../zoo.ts';
import { storedLz4, storedZstd } from './stored.ts';

const run = promisify(execFile);

/** What a reader of plain dumps may stumble over. */
const trapsSql = String.raw`
create schema "traps;";
create table "traps;"."a ""b; -- c" ("co;l" text default E'it''s \\ \'', "x\y" text, d integer[]);
insert into "traps;"."a ""b; -- c" values ('\', '\!'), (E'line\n\\.\nline', '\.'), ('INSERT INTO x', null), ('COPY t FROM stdin;', '$$');
create table "traps;".texts (line text);
insert into "traps;".texts select 'INSERT INTO public.x VALUES (' || n from generate_series(1, 50) as n;
create table "traps;".empty (a integer);
create table "traps;".nothing ();
insert into "traps;".nothing default values;
create view "traps;".slices as select d[1:array_length(d, 1)] as e, d[1:2]::text as f, '\!'::text as g from "traps;"."a ""b; -- c";
create function "traps;".plain(a integer) returns text language plpgsql as $$ begin /* ; ' */ return E'\' \\! ' || $_$ \! id $_$; end $$;
create function "traps;".atomic(x integer) returns integer language sql
  begin atomic select case when x > 1 then 2 end; insert into "traps;".empty values (1) returning a; end;
comment on table "traps;".texts is E'COPY x FROM stdin;\n\\! id\n-- PostgreSQL database dump complete';
select lo_from_bytea(0, convert_to(repeat('\.' || chr(10), 5000), 'UTF8')), lo_from_bytea(0, '\x00');
`;

const roles = ['thaw_prove_owner', 'thaw prove reader'];
const rolesSql = `create role ${roles[0]}; create role "${roles[1]}";`;
const grantsSql = `alter table shop.orders owner to ${roles[0]}; grant select (id), update (note) on shop.orders to "${roles[1]}" with grant option;`;

const corrupt = { code: 'ArchiveCorrupt' };
const signal = new AbortController().signal;
let database: TestDatabase;
let folder: string;
/** Rows of each table as PostgreSQL counts them, named as dumps are told. */
let serverVersion: string;
let expected: Record<string, number>;

async function save(key: string, bytes: Uint8Array): Promise<DumpRef> {
  await writeFile(path.join(folder, key), bytes);
  return { key, bytes: bytes.length, etag: '', modifiedAt: '', takenAt: null };
}

async function prove(key: string, bytes: Uint8Array): Promise<ProvenDump> {
  const { etag: _, ...ref } = await save(key, bytes);
  const store = new FolderStore({ kind: 'folder', path: folder, prefix: '' });
  const { etag } = await store.open(key);
  return proveDump(store, { ...ref, etag }, { env: { ...process.env, THAW_SPOOL_DIR: folder }, signal });
}

function rows({ tables }: ProvenDump): Record<string, number | null> {
  return Object.fromEntries(tables.map(({ table, rows: count }) => [table, count]));
}

/** A directory that pg_dump made, as a tar. */
async function tarOfDirectory(options: readonly string[], tarArgs: readonly string[]): Promise<Buffer> {
  const directory = path.join(folder, 'd');
  await pgDump(database, '--format=directory', `--file=${directory}`, ...options);
  const { stdout } = await run('tar', ['-c', ...tarArgs], {
    encoding: 'buffer',
    maxBuffer: 2 ** 30,
    cwd: folder,
  });
  await rm(directory, { recursive: true });
  return stdout;
}

/** A directory as pg_dump 16 makes it with --compress=zstd and lz4, one and the other by turns. */
async function recompressed(): Promise<Buffer> {
  const directory = path.join(folder, 'd');
  await pgDump(database, '--format=directory', `--file=${directory}`, '--compress=0');
  const names = (await readdir(directory)).filter((name) => name !== 'toc.dat' && name.endsWith('.dat'));
  for (const [index, name] of names.entries()) {
    const file = path.join(directory, name);
    const bytes = await readFile(file);
    if (index % 2 === 0) await writeFile(`${file}.zst`, storedZstd(bytes));
    else await writeFile(`${file}.lz4`, await storedLz4(bytes));
    await rm(file);
  }
  const { stdout } = await run('tar', ['-c', 'd'], { encoding: 'buffer', cwd: folder });
  await rm(directory, { recursive: true });
  return stdout;
}

describeWithPrograms('proving a dump', () => {
  const dumps = new Map<string, Buffer>();

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'thaw-prove-'));
    database = await createTestDatabase('prove');
    const client = await database.client();
    await client.query(rolesSql);
    await client.query(zooSql);
    await client.query(trapsSql);
    await client.query(grantsSql);
    const version = await client.query<{ version: string }>(
      "select split_part(current_setting('server_version'), ' ', 1) as version",
    );
    serverVersion = version.rows[0]?.version ?? '';
    const { rows: counts } = await client.query<{ schema: string; name: string; count: string }>(
      `select n.nspname as schema, c.relname as name,
         (xpath('//c/text()', query_to_xml(format('select count(*) as c from only %I.%I', n.nspname, c.relname), false, true, '')))[1]::text as count
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind = 'r' and n.nspname in ('shop', 'traps;', 'Odd "Schema')`,
    );
    expected = Object.fromEntries(
      counts.map(({ schema, name, count }) => [tableName(schema, name), Number(count)]),
    );
    for (const format of ['tar', 'custom', 'plain']) {
      dumps.set(format, await pgDump(database, `--format=${format}`));
      dumps.set(`${format} of INSERTs`, await pgDump(database, `--format=${format}`, '--inserts'));
    }
    dumps.set(
      'plain of INSERTs of 7 rows',
      await pgDump(database, '--rows-per-insert=7', '--column-inserts'),
    );
    dumps.set('plain with --create', await pgDump(database, '--create', '--clean'));
    dumps.set('directory', await tarOfDirectory([], ['-C', 'd', '.']));
    dumps.set('directory in a folder', await tarOfDirectory(['--compress=0'], ['d']));
    dumps.set('directory of INSERTs', await tarOfDirectory(['--inserts'], ['--format=pax', '-C', 'd', '.']));
    dumps.set('directory of members in zstd and LZ4', await recompressed());
    const members = ['-C', 'd', '--transform=s,^[.]/,,', 'toc.dat', '--exclude=toc.dat', '.'];
    dumps.set('directory that begins as a tar of pg_dump', await tarOfDirectory([], members));
  });

  afterAll(async () => {
    await database.drop();
    await asAdministrator(`drop role ${roles[0]}; drop role "${roles[1]}"`);
    await rm(folder, { recursive: true });
  });

  test('tells the same of every format in every wrapping, whatever its name says', async () => {
    const plain = await prove('a.tar.gz', dumps.get('plain') as Buffer);
    const objects = plain.toc.map(({ kind, schema, name, owner }) => [kind, schema, name, owner].join('|'));
    for (const [name, bytes] of dumps) {
      const isVariant = name.includes(' ');
      const wrapped = {
        gzip: gzipSync(bytes),
        ...(isVariant ? {} : { none: bytes, zstd: storedZstd(bytes) }),
      };
      for (const [compression, dump] of Object.entries(wrapped)) {
        const key = `${name}.${compression === 'gzip' ? 'tar' : 'sql.gz'}`;
        const proven = await prove(key, dump);
        const { proof } = proven;
        expect([name, rows(proven)]).toEqual([name, expected]);
        expect(proof).toMatchObject({
          dump: { key, bytes: dump.length },
          ...{ compression, format: name.split(' ')[0], bytes: bytes.length },
          ...{ serverVersion: serverVersion, dumpVersion: clientPrograms().version },
          ...{ tables: 13, rows: 131, extensions: ['citext', 'hstore'], roles: [database.user, ...roles] },
        });
        const isNamed = !/^plain(?! with)/.test(name);
        expect([name, proof.database]).toEqual([name, isNamed ? database.name : null]);
        expect(proof.notices).toHaveLength(name === 'plain with --create' ? 1 : 0);
        const told = proven.toc.filter(({ kind }) => kind !== 'DATABASE');
        expect(told.map(({ kind, schema, name, owner }) => [kind, schema, name, owner].join('|'))).toEqual(
          expect.arrayContaining(objects),
        );
      }
    }
    // Nothing that the dumps were unpacked into is left.
    expect((await readdir(folder)).filter((name) => name.startsWith('thaw-dump-'))).toEqual([]);
  });

  test('knows each that is cut short or damaged, at any place', async () => {
    const random = fc.sample(fc.integer({ min: 0, max: 999 }), { numRuns: 6, seed: 7 }).map((n) => n / 1000);
    for (const name of ['tar', 'custom', 'plain', 'directory']) {
      const bytes = dumps.get(name) as Buffer;
      const gzip = gzipSync(bytes);
      for (const part of random) {
        // Zeros and newlines at the end are more than it needs.
        const cut = Math.floor(part * bytes.findLastIndex((byte) => byte !== 0 && byte !== 10));
        await expect(prove(`cut at ${cut} ${name}`, bytes.subarray(0, cut))).rejects.toMatchObject(corrupt);
        await expect(prove(`gzip of ${cut} ${name}`, gzipSync(bytes.subarray(0, cut)))).rejects.toMatchObject(
          corrupt,
        );
        const at = Math.floor(part * gzip.length);
        await expect(prove(`cut gzip at ${at} ${name}`, gzip.subarray(0, at))).rejects.toMatchObject(corrupt);
        const flipped = Buffer.from(gzip);
        flipped.writeUInt8((flipped[at] as number) ^ 0x10, at);
        await expect(prove(`flipped at ${at} ${name}`, flipped)).rejects.toThrow(ThawError);
      }
    }
  });

  test('tells what proves each byte, and says so where nothing does', async () => {
    const deflated = await pgDump(database, '--format=custom');
    const [custom, tar] = [
      await pgDump(database, '--format=custom', '-Z0'),
      await pgDump(database, '--format=tar'),
    ];
    const sums = { sha256: createHash('sha256'), md5: createHash('md5') };
    const checksumOf = async (key: string, bytes: Buffer) => (await prove(key, bytes)).proof.checksum;
    expect(await checksumOf('deflated', deflated)).toBe('zlib');
    expect(await checksumOf('wrapped', gzipSync(tar))).toBe('gzip');
    for (const [key, bytes] of [
      ['bare.custom', custom],
      ['bare.tar', tar],
    ] as const) {
      // Within a value, where it makes another value and nothing else.
      const at = bytes.indexOf('INSERT INTO public.x VALUES (37');
      expect(at).toBeGreaterThan(0);
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8((flipped[at] as number) ^ 0x01, at);
      expect(await checksumOf(key, bytes)).toBeNull();
      expect(await checksumOf(key, flipped)).toBeNull();
      for (const algorithm of ['sha256', 'md5'] as const) {
        const hex = sums[algorithm].copy().update(bytes).digest('hex');
        const file = path.join(folder, `${key}.${algorithm}`);
        await writeFile(file, `${'0'.repeat(hex.length)}  another\n${hex}  ${key}\n`);
        expect(await checksumOf(key, bytes)).toBe(`.${algorithm}`);
        await expect(prove(key, flipped)).rejects.toMatchObject({
          ...{ code: 'ChecksumMismatch', message: `${key}: is not the dump of ${key}.${algorithm}` },
        });
        await rm(file);
      }
      const manifest: DumpManifest = {
        ...{
          key,
          sha256: sums.sha256.copy().update(bytes).digest('hex'),
          bytes: bytes.length,
          format: 'tar',
        },
        ...{ compression: 'gzip', taken_at: '2026-01-04T00:00:00.000Z', database: 'x', server_version: null },
        ...{ pg_dump_version: '15.18', rows: null, tables: [] },
      };
      await writeFile(path.join(folder, manifestKey(key)), manifestText(manifest));
      expect(await checksumOf(key, bytes)).toBe('manifest');
      await expect(prove(key, flipped)).rejects.toMatchObject({ code: 'ChecksumMismatch' });
      await rm(path.join(folder, manifestKey(key)));

      // Of a store whose ETags are MD5, but not of all that look like one.
      const md5 = sums.md5.copy().update(bytes).digest('hex');
      const checksums = new Map([
        [md5, 'ETag'],
        [md5.replaceAll(/\d/g, '0'), null],
      ]);
      for (const [etag, told] of checksums) {
        const ref = await save(key, bytes);
        const store = new FolderStore({ kind: 'folder', path: folder, prefix: '' });
        const named: ArchiveStore = {
          name: store.name,
          // As S3 answers who may not list.
          read: (place) =>
            Promise.reject(new ThawError('PermissionDenied', `${place} may not be read`, { object: place })),
          open: (place) => store.open(place),
        };
        const { proof } = await proveDump(named, { ...ref, etag }, { env: process.env, signal });
        expect({ etag, told: proof.checksum }).toEqual({ etag, told });
      }
    }
  });

  test('knows a tar that lacks one of its members', async () => {
    await pgDump(database, '--format=directory', `--file=${path.join(folder, 'd')}`);
    const without = async (member: string) => {
      const exclude = `--exclude=${member}`;
      return (await run('tar', ['-c', exclude, 'd'], { encoding: 'buffer', cwd: folder })).stdout;
    };
    const data = (await readdir(path.join(folder, 'd'))).find((name) => /^\d+\.dat/.test(name)) as string;
    const lacks = [
      ['toc.dat', 'its table of contents (toc.dat) is missing'],
      [data, `the data of 1 tables are missing (${data.replace('.gz', '')})`],
      ['blob_*', '3 of its large objects are missing'],
    ] as const;
    for (const [member, what] of lacks) {
      await expect(prove('d.tar', await without(member))).rejects.toMatchObject({
        ...corrupt,
        message: expect.stringContaining(what),
      });
    }
    const [open, cut] = [path.join(folder, 'd', data), gzipSync('1\t2\n3')];
    await writeFile(open, cut);
    await expect(prove('d.tar', await without('nothing'))).rejects.toThrow(
      `${data}: it ends in the middle of its rows`,
    );
    await writeFile(open, cut.subarray(0, -4));
    await expect(prove('d.tar', await without('nothing'))).rejects.toMatchObject(corrupt);
    await rm(path.join(folder, 'd'), { recursive: true });
  });

  test('counts what pg_dumpall writes by database, and needs no roles that it makes', async () => {
    const pgDumpAll = path.join(path.dirname(clientPrograms().pgDump), 'pg_dumpall');
    const globals = await runWithUrl(pgDumpAll, database, ['--globals-only', '--no-role-passwords']);
    // Of pg_dumpall itself no part but the roles: other tests make and drop databases meanwhile.
    const end = '--\n-- PostgreSQL database cluster dump complete\n';
    const own = `--\n-- Database "${database.name}" dump\n--\n\n${dumps.get('plain with --create')}\n${end}`;
    const stdout = Buffer.from(globals.toString().replace(end, () => own));
    const proven = await prove('all.sql', gzipSync(stdout));
    expect(proven.proof).toMatchObject({
      format: 'cluster',
      database: null,
      serverVersion,
      rows: 131,
      roles: [],
    });
    expect(proven.tables.every((table) => table.database === database.name)).toBe(true);
    expect(rows(proven)).toEqual(expected);
    await expect(prove('all.sql', stdout.subarray(0, -40))).rejects.toMatchObject(corrupt);
  });

  test('refuses what it cannot read, and what psql would run', async () => {
    const newer = Buffer.from(dumps.get('custom') as Buffer);
    newer.writeUInt8(99, 6);
    await expect(prove('newer.dump', newer)).rejects.toMatchObject({
      ...{ code: 'ConfigInvalid', hint: expect.stringContaining('PG_BIN') },
    });
    const plain = (dumps.get('plain') as Buffer).toString();
    const hostile = plain.replace('SET row_security = off;', 'SET row_security = off; \\! id');
    await expect(prove('hostile.sql', Buffer.from(hostile))).rejects.toMatchObject({
      ...{ code: 'InputInvalid', object: 'hostile.sql', line: expect.any(Number) },
    });
    // A line that only damage has made so is none of somebody's.
    const damaged = gzipSync(hostile);
    damaged.writeUInt8((damaged.at(-8) ?? 0) ^ 1, damaged.length - 8);
    await expect(prove('damaged.sql.gz', damaged)).rejects.toMatchObject(corrupt);
    const ofNewer = plain.replace('SET row_security', 'SET transaction_timeout = 0;\nSET row_security');
    expect((await prove('17.sql', Buffer.from(ofNewer))).proof.notices).toEqual([
      '17.sql sets transaction_timeout, which servers before PostgreSQL 17 do not know.',
    ]);
  });
});
