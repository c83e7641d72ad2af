import { Buffer } from 'node:buffer';
import yazl from 'yazl';
import type { RandomAccess } from '../../src/bundle/random-access.ts';

/** A file to write; text, or bytes. */
export type ZipContent = string | Buffer;

/** How an entry is written. */
export interface EntryOptions {
  readonly compress?: boolean;
  /** Unix mode with its kind in the upper bits. */
  readonly mode?: number;
  readonly zip64?: boolean;
}

/** Makes a ZIP of some files, by their names. */
export async function makeZip(
  files: Readonly<Record<string, ZipContent>>,
  { compress = true, mode, zip64 = false }: EntryOptions = {},
): Promise<Buffer> {
  const zip = new yazl.ZipFile();
  for (const [name, content] of Object.entries(files)) {
    zip.addBuffer(Buffer.from(content), name, {
      compress,
      ...(mode === undefined ? {} : { mode }),
      forceZip64Format: zip64,
    });
  }
  zip.end({ forceZip64Format: zip64, comment: '' });
  const chunks: Buffer[] = [];
  for await (const chunk of zip.outputStream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The bytes with every occurrence of a text replaced by one of the same length: names that no writer would write. */
export function replaced(zip: Buffer, from: string, to: string): Buffer {
  if (Buffer.byteLength(from) !== Buffer.byteLength(to)) throw new Error('texts must have one length');
  const bytes = Buffer.from(zip);
  for (let at = bytes.indexOf(from); at !== -1; at = bytes.indexOf(from, at + 1)) bytes.write(to, at);
  return bytes;
}

/** Bytes in memory, and how much of them was read. */
export function bytesOf(bytes: Buffer): RandomAccess & { readonly parts: number } {
  let parts = 0;
  return {
    bytes: bytes.length,
    get parts() {
      return parts;
    },
    async *stream(start, end) {
      parts += 1;
      yield bytes.subarray(start, end);
    },
    close: async () => {},
  };
}
