import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import tar from 'tar-stream';
import { ByteQueue } from '../../archive/byte-queue.ts';
import { Damage } from '../../archive/damage.ts';
import { gunzip } from '../../archive/gunzip.ts';
import { unlz4 } from '../../archive/lz4.ts';
import { unzstd } from '../../archive/zstd.ts';
import { countLines } from './copy-rows.ts';
import { countMember, type MemberRows } from './member-rows.ts';

/** A dump in a tar, after all of it has passed. */
export interface ScannedTar {
  /** Rows of each entry of its table of contents that has data. */
  readonly members: ReadonlyMap<number, MemberRows>;
  /**
   * A folder with its toc.dat, and with files that stand for those of its data: pg_restore reads it as a dump of the
   * same objects without rows.
   */
  readonly folder: string;
}

interface Folder {
  readonly path: string;
  hasToc: boolean;
  readonly members: Map<number, MemberRows>;
  /** Large objects that its lists name, less those that came. */
  largeObjects: number;
}

/** How members of directories are compressed: gzip by all versions of pg_dump, the others since 16. */
const unpackers: Readonly<Record<string, (input: AsyncGenerator<Buffer>) => AsyncGenerator<Buffer>>> = {
  '': (input) => input,
  '.gz': gunzip,
  '.zst': (input) => unzstd(new ByteQueue(input)),
  '.lz4': (input) => unlz4(new ByteQueue(input)),
};
const dataFile = /^(\d+)\.dat(\.\w+)?$/;
const largeObject = /^blob_\d+\.dat(\.\w+)?$/;
const largeObjectList = /^blobs(?:_\d+)?\.toc$/;

/** What a `\.` is in the place of all data. */
const noRows = '\\.\n\n\n';
const block = 512;

/**
 * Reads a dump in a tar while it streams by, pg_dump's own or one made of a directory, in a folder or not: every
 * member to its end, and rows counted.
 *
 * @param folder an empty one, for what is kept of it
 * @throws Damage for what is cut short, damaged or incomplete
 */
export async function scanTar(chunks: AsyncIterable<Buffer>, folder: string): Promise<ScannedTar> {
  const folders = new Map<string, Folder>();
  const tail = new Tail();
  const members = tar.extract();
  const read = pipeline(Readable.from(tail.passing(chunks), { objectMode: true }), members);
  // Told by the members, too.
  read.catch(() => {});
  try {
    for await (const member of members) {
      if (member.header.type !== 'file') {
        member.resume();
        continue;
      }
      const name = path.posix.normalize(member.header.name);
      await take(
        await folderOf(folders, path.posix.dirname(name), folder),
        path.posix.basename(name),
        member as AsyncIterable<Buffer>,
      );
    }
    await read;
  } catch (error) {
    throw tail.failure ?? damageOr(error);
  }
  if (!tail.isEnd) throw new Damage('the end of the tar is missing');
  return whole([...folders.values()]);
}

async function folderOf(folders: Map<string, Folder>, name: string, parent: string): Promise<Folder> {
  const known = folders.get(name);
  if (known !== undefined) return known;
  const made = {
    path: path.join(parent, String(folders.size)),
    hasToc: false,
    members: new Map<number, MemberRows>(),
    largeObjects: 0,
  };
  await mkdir(made.path, { mode: 0o700 });
  folders.set(name, made);
  return made;
}

async function take(folder: Folder, name: string, content: AsyncIterable<Buffer>): Promise<void> {
  const [, dumpId, suffix = ''] = dataFile.exec(name) ?? [];
  if (dumpId !== undefined) {
    const rows = await named(name, () => countMember(plain(content, suffix)));
    folder.members.set(Number(dumpId), rows);
    await writeFile(path.join(folder.path, `${dumpId}.dat`), rows.isCopy ? noRows : '');
  } else if (name === 'toc.dat') {
    // Not a pipeline: one never ends when the tar does in the middle of this member.
    await writeFile(path.join(folder.path, name), content, { mode: 0o600 });
    folder.hasToc = true;
  } else if (largeObjectList.test(name)) {
    for await (const chunk of content) folder.largeObjects += countLines(chunk, 0, chunk.length);
    await writeFile(path.join(folder.path, name), '');
  } else {
    const blob = largeObject.exec(name);
    if (blob !== null) folder.largeObjects -= 1;
    await named(name, () => drain(plain(content, blob?.[1] ?? '')));
  }
}

/** The one folder with a table of contents. */
function whole(folders: readonly Folder[]): ScannedTar {
  const [folder, second] = folders.filter(({ hasToc }) => hasToc);
  if (folder === undefined) throw new Damage('its table of contents (toc.dat) is missing');
  if (second !== undefined) throw new Damage('it holds more than one dump');
  if (folder.largeObjects > 0) throw new Damage(`${folder.largeObjects} of its large objects are missing`);
  return { members: folder.members, folder: folder.path };
}

/** What a member holds, out of its own compression. */
async function* plain(content: AsyncIterable<Buffer>, suffix: string): AsyncGenerator<Buffer> {
  const unpack = unpackers[suffix];
  if (unpack === undefined) throw new Damage('its compression is not known');
  yield* unpack(generated(content));
}

async function* generated(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of content) yield chunk;
}

async function drain(content: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of content);
}

/** Says of which member the damage is. */
async function named<T>(name: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw error instanceof Damage ? new Damage(`${name}: ${error.message}`) : error;
  }
}

/** What tar-stream says is about the tar; what the disk says is not. */
function damageOr(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof Damage || 'errno' in error) return error;
  const isCut = /unexpected end|destroyed/i.test(error.message);
  return new Damage(isCut ? 'the tar is cut short' : `the tar is damaged (${error.message})`);
}

/** Whether a tar has its end: blocks of zeros, which no member ends with. */
class Tail {
  /** What the source of the bytes threw, which tells more than what becomes of the tar then. */
  failure: unknown = null;
  #bytes = 0;
  #last: Buffer = Buffer.alloc(0);

  async *passing(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of chunks) {
        this.#bytes += chunk.length;
        const last = chunk.length < block ? Buffer.concat([this.#last, chunk]) : chunk;
        this.#last = Buffer.from(last.subarray(-block));
        yield chunk;
      }
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }

  get isEnd(): boolean {
    return this.#bytes % block === 0 && this.#last.length === block && this.#last.every((byte) => byte === 0);
  }
}
