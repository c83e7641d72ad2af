import { open } from 'node:fs/promises';
import { ThawError } from '../contract/thaw-error.ts';

/** The bytes of a file of marked differences. @throws ThawError `InputInvalid` where it cannot be read */
export async function* selectionChunks(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path).catch((error: Error) => {
    throw new ThawError('InputInvalid', `--selection: ${path} cannot be read (${error.message})`, {
      object: '--selection',
      hint: 'Name the file that `thaw snapshot diff` wrote.',
    });
  });
  yield* file.createReadStream();
}
