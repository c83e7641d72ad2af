/** What the header of a member of a tar says. */
export interface TarMember {
  readonly name: string;
  readonly bytes: number;
  /** Owner and group as pg_dump writes them into tars of its own: numbers and names that no system gives. */
  readonly isOfPgDump: boolean;
}

const block = 512;

/** Tells whether bytes begin like a tar of POSIX or GNU. */
export function isTar(head: Buffer): boolean {
  return head.length >= block && head.toString('latin1', 257, 262) === 'ustar';
}

/** The members whose headers lie in the beginning of a tar, without directories and what describes other members. */
export function tarMembers(head: Buffer): TarMember[] {
  const members: TarMember[] = [];
  for (let at = 0; isTar(head.subarray(at)); ) {
    const header = head.subarray(at, at + block);
    const bytes = Number.parseInt(field(header, 124, 12), 8) || 0;
    const type = field(header, 156, 1);
    if (type === '' || type === '0')
      members.push({ name: name(header), bytes, isOfPgDump: isOfPgDump(header) });
    at += block + Math.ceil(bytes / block) * block;
  }
  return members;
}

function name(header: Buffer): string {
  const prefix = header[262] === 0 ? field(header, 345, 155) : '';
  return prefix === '' ? field(header, 0, 100) : `${prefix}/${field(header, 0, 100)}`;
}

// src/port/tar.c and pg_backup_tar.c of PostgreSQL: 04000, 02000 and `postgres` since 7.1.
function isOfPgDump(header: Buffer): boolean {
  const owner = Number.parseInt(field(header, 108, 8), 8);
  const group = Number.parseInt(field(header, 116, 8), 8);
  return owner === 0o4000 && group === 0o2000;
}

function field(header: Buffer, from: number, length: number): string {
  const bytes = header.subarray(from, from + length);
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end === -1 ? length : end).trim();
}
