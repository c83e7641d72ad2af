import { isTar, tarMembers } from './tar-head.ts';

/** What bytes are that are no dump which Thaw restores. */
export interface Foreign {
  /** A noun with its article, such as `an OpenPGP message`. */
  readonly what: string;
  /** What to do next. */
  readonly hint: string;
  /** Whether it is what is left of a dump, or stands where one should; otherwise somebody has to unpack it first. */
  readonly isDamage: boolean;
}

const decrypt =
  'Decrypt it first (`gpg --decrypt dump.gpg > dump`), then restore the file that this gives; Thaw holds no keys.';
const damaged = 'Restore an earlier dump (`thaw dumps` lists them), and look at how this one was made.';
const unpack = 'Unpack it, and restore the dump that is in it; Thaw itself unpacks gzip and zstd.';
const other = 'Thaw restores what pg_dump and pg_dumpall wrote: plain, custom, tar, or a directory as tar.';

type Known = readonly [what: string, hint: string, isDamage: boolean];
const openPgp: Known = ['an OpenPGP message (encrypted by gpg)', decrypt, false];

/** By the first bytes, in hexadecimal. */
const beginnings: readonly (readonly [RegExp, ...Known])[] = [
  // Packets of RFC 9580 that messages begin with, of the old and the new form: a session key for a public key
  // (tag 1, version 3 or 6) or a passphrase (tag 3, version 4 to 6), data compressed, encrypted or signed.
  [/^(?:84..|85....|c1[0-9ab].|c1[cd]...)0[36]/, ...openPgp],
  [/^(?:8c..|8d....|c3[0-9ab].)0[456]/, ...openPgp],
  [/^(?:a30[123]|c8..0[123]|d2(?:..){1,5}0[12]|900d03|c9|d4)/, ...openPgp],
  [/^425a683[1-9]/, 'compressed by bzip2', unpack, false],
  [/^fd377a585a00/, 'compressed by xz', unpack, false],
  [/^04224d18/, 'compressed by lz4', unpack, false],
  [/^4c5a4950/, 'compressed by lzip', unpack, false],
  [/^1f[9a][0d]/, 'compressed by compress', unpack, false],
  [/^(?:1f8b|28b52ffd)/, 'compressed twice', unpack, false],
  [/^504b(?:0304|0506)/, 'a ZIP file', unpack, false],
  [/^377abcaf271c/, 'a 7z file', unpack, false],
  [/^526172211a07/, 'a RAR file', unpack, false],
  [/^53616c7465645f5f/, 'a file encrypted by openssl', decrypt, false],
  [/^53514c69746520666f726d6174203300/, 'a database of SQLite', other, false],
  [/^5047434f50590aff/, 'one table in binary COPY format', other, false],
  [/^5047444d50/, 'the toc.dat of a dump, without its data', 'Restore the whole directory or tar.', true],
  [/^(?:fffe|feff)/, 'text in UTF-16', 'Write it anew as UTF-8: PowerShell made UTF-16 of it.', false],
  [/^(?:00)+$/, 'nothing but zeros', damaged, true],
];

/** By the first lines, where all of it is text; a byte order mark and white space in front are taken away. */
const texts: readonly (readonly [RegExp, ...Known])[] = [
  [/^-----BEGIN PGP /, ...openPgp],
  [/^(?:age-encryption\.org\/|-----BEGIN AGE )/, 'a file encrypted by age', decrypt, false],
  [/^<(?:!doctype html|html|head|body)\b/i, 'an HTML page', damaged, true],
  [/^<\?xml|^<Error>/, 'an XML document, perhaps the error of a store', damaged, true],
  [/^-- (?:MySQL|MariaDB) dump/m, 'a dump of MySQL', other, false],
  [/^pg_dump(?:all)?: /, 'what pg_dump said when it failed', damaged, true],
  [/^version https:\/\/git-lfs/, 'a pointer of Git LFS', 'Fetch the file itself with `git lfs pull`.', false],
  [/^\{/, 'JSON, perhaps an archive of rows', 'Archives of rows are restored with `thaw restore`.', false],
  [
    /^(?:--|\/\*|set |create |insert |begin|select |drop |alter )/i,
    'SQL without the header that pg_dump writes',
    other,
    false,
  ],
];

/** Names what is no dump, by the beginning of it, decompressed. */
export function foreignKind(head: Buffer): Foreign {
  if (head.length === 0) return foreign(['an empty file', damaged, true]);
  if (isText(head)) {
    const text = head.toString('utf8').replace(/^\ufeff?\s*/, '');
    const kind = texts.find(([pattern]) => pattern.test(text));
    return foreign(kind === undefined ? ['text that pg_dump did not write', other, true] : kindOf(kind));
  }
  const hex = head.toString('hex', 0, 64);
  const known = beginnings.find(([pattern]) => pattern.test(hex));
  if (known !== undefined) return foreign(kindOf(known));
  if (isTar(head)) return foreign(foreignTar(head));
  const first = hex.slice(0, 8).replace(/..(?=.)/g, '$& ');
  return foreign([
    `bytes of no dump, perhaps encrypted (they begin with ${first})`,
    `${other} Where it is encrypted, decrypt it first.`,
    true,
  ]);
}

function foreignTar(head: Buffer): Known {
  const names = tarMembers(head).map((member) => member.name);
  if (names.some((name) => /^(?:.*\/)?(?:PG_VERSION|backup_label|tablespace_map)$/.test(name))) {
    const hint = 'A base backup is restored as a whole cluster: `thaw restore-pitr`.';
    return ['a base backup of a cluster (by pg_basebackup)', hint, false];
  }
  return ['a tar of other files than those of a dump', unpack, false];
}

function kindOf([, what, hint, isDamage]: readonly [RegExp, ...Known]): Known {
  return [what, hint, isDamage];
}

function foreign([what, hint, isDamage]: Known): Foreign {
  return { what, hint, isDamage };
}

function isText(head: Buffer): boolean {
  // A character may be cut at the end, of which there are at most three bytes.
  const text = head.toString('utf8').slice(0, -1);
  return !text.includes('\0') && !text.slice(0, -3).includes('\ufffd');
}
