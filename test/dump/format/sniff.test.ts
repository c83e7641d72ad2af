import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { openDump } from '../../../src/dump/format/open-dump.ts';
import { sniffDump } from '../../../src/dump/format/sniff.ts';
import type { ArchiveStore } from '../../../src/store/object-store.ts';

/** A store that gives these bytes, in two chunks. */
function holding(bytes: Buffer): ArchiveStore {
  const chunks = async function* () {
    yield bytes.subarray(0, 3);
    yield bytes.subarray(3);
  };
  return {
    name: 'file:///dumps',
    open: async () => ({ bytes: bytes.length, etag: 'a', chunks: chunks() }),
    read: async () => bytes,
  };
}

async function read(bytes: Buffer): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of (await openDump(holding(bytes), 'a.dump')).chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

function hex(text: string): Buffer {
  return Buffer.concat([Buffer.from(text.replaceAll(' ', ''), 'hex'), Buffer.alloc(80, 0xe9)]);
}

/** A header of a tar for each member, without content. */
function tar(...names: readonly string[]): Buffer {
  const headers = names.map((name) => {
    const header = Buffer.alloc(512);
    header.write(name);
    header.write('00000000000', 124);
    header.write('0', 156);
    header.write('ustar\x0000', 257);
    return header;
  });
  return Buffer.concat([...headers, Buffer.alloc(1024)]);
}

describe('what is no dump is named', () => {
  test.each([
    // The first bytes of files that gpg 2.2, age, openssl, bzip2, xz, zip, lz4 and the others made.
    ['an OpenPGP message', hex('8c0d 0409 0302 7a6b'), 'InputInvalid', 'gpg --decrypt'],
    ['an OpenPGP message', hex('8501 0c03 cb2e a5f0'), 'InputInvalid', 'gpg --decrypt'],
    ['an OpenPGP message', hex('c10d 0399 0102'), 'InputInvalid', 'gpg --decrypt'],
    [
      'an OpenPGP message',
      Buffer.from('-----BEGIN PGP MESSAGE-----\n\njA0ECQMC'),
      'InputInvalid',
      'gpg --decrypt',
    ],
    ['encrypted by age', Buffer.from('age-encryption.org/v1\n-> X25519 abc\n'), 'InputInvalid', 'Decrypt'],
    ['encrypted by openssl', hex('5361 6c74 6564 5f5f 1234'), 'InputInvalid', 'Decrypt'],
    ['bzip2', hex('425a 6839 3141'), 'InputInvalid', 'Unpack'],
    ['xz', hex('fd37 7a58 5a00 0004'), 'InputInvalid', 'Unpack'],
    ['lz4', hex('0422 4d18 6440'), 'InputInvalid', 'Unpack'],
    ['a ZIP file', hex('504b 0304 1400'), 'InputInvalid', 'Unpack'],
    ['compressed twice', gzipSync(gzipSync('--\n-- PostgreSQL database dump\n')), 'InputInvalid', 'Unpack'],
    ['a tar of other files', tar('etc/', 'etc/passwd'), 'InputInvalid', 'Unpack'],
    ['a base backup', tar('backup_label', 'PG_VERSION'), 'InputInvalid', 'restore-pitr'],
    ['a dump of MySQL', Buffer.from('-- MySQL dump 10.13  Distrib 8.0\n'), 'InputInvalid', 'pg_dump'],
    ['a database of SQLite', Buffer.from('SQLite format 3\0\x10\0'), 'InputInvalid', 'pg_dump'],
    ['an archive of rows', Buffer.from('{"id": 1}\n{"id": 2}\n'), 'InputInvalid', 'thaw restore'],
    ['SQL without the header', Buffer.from('create table a (b integer);\n'), 'InputInvalid', 'pg_dump'],
    ['UTF-16', Buffer.from('\ufeff--\n-- PostgreSQL database dump\n', 'utf16le'), 'InputInvalid', 'UTF-8'],
    ['an empty file', Buffer.alloc(0), 'ArchiveCorrupt', 'earlier dump'],
    ['an empty file, in gzip', gzipSync(''), 'ArchiveCorrupt', 'earlier dump'],
    ['nothing but zeros', Buffer.alloc(4096), 'ArchiveCorrupt', 'earlier dump'],
    ['an HTML page', Buffer.from('\n<!DOCTYPE html>\n<html>'), 'ArchiveCorrupt', 'earlier dump'],
    ['an XML document', Buffer.from('<?xml version="1.0"?>\n<Error>'), 'ArchiveCorrupt', 'earlier dump'],
    ['when it failed', Buffer.from('pg_dump: error: connection refused\n'), 'ArchiveCorrupt', 'earlier dump'],
    ['toc.dat of a dump', hex('5047 444d 5001 0e00 0408 03'), 'ArchiveCorrupt', 'whole directory'],
    ['text that pg_dump did not write', Buffer.from('hello, naïve world\n'), 'ArchiveCorrupt', 'pg_dump'],
    ['begin with e9 e9 e9 e9', hex(''), 'ArchiveCorrupt', 'decrypt'],
  ])('%s', async (what, bytes, code, hint) => {
    const sniffed = await sniffDump(bytes);
    expect(sniffed.format).toBeNull();
    const inWrapping = sniffed.compression === 'none' ? '' : `, in ${sniffed.compression}`;
    expect(`${sniffed.foreign}${inWrapping}`).toContain(what);
    await expect(read(bytes)).rejects.toMatchObject({
      ...{ code, object: 'a.dump', message: expect.stringContaining(what) },
      hint: expect.stringContaining(hint),
    });
  });
});

describe('a dump in gzip', () => {
  const text = `--\n-- PostgreSQL database dump\n--\n${'-- x\n'.repeat(40_000)}`;
  const half = text.length / 2;

  test('may have several members', async () => {
    const bytes = Buffer.concat([gzipSync(text.slice(0, half)), gzipSync(text.slice(half))]);
    expect(await sniffDump(bytes)).toMatchObject({ compression: 'gzip', format: 'plain', foreign: null });
    expect((await read(bytes)).toString()).toBe(text);
  });

  test('is told by its beginning', async () => {
    expect(await sniffDump(gzipSync(text).subarray(0, 100))).toMatchObject({ format: 'plain' });
    expect(await sniffDump(gzipSync(text).subarray(0, 5))).toMatchObject({
      foreign: 'gzip that cannot be read',
    });
  });

  test.each([
    ['cut short', gzipSync(text).subarray(0, -1)],
    [
      'with another checksum',
      Buffer.concat([gzipSync(text).subarray(0, -8), Buffer.alloc(4, 7), gzipSync(text).subarray(-4)]),
    ],
    ['with something behind', Buffer.concat([gzipSync(text), Buffer.from('more')])],
    ['with zeros behind', Buffer.concat([gzipSync(text), Buffer.alloc(512)])],
    ['with half a member behind', Buffer.concat([gzipSync(text), gzipSync(text).subarray(0, 40)])],
  ])('%s is corrupt', async (_, bytes) => {
    await expect(read(bytes)).rejects.toMatchObject({
      ...{ code: 'ArchiveCorrupt', object: 'a.dump', hint: expect.stringContaining('earlier dump') },
    });
  });
});
