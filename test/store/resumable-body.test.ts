import { expect, test } from 'vitest';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { Backoff } from '../../src/store/backoff.ts';
import { type BodySource, resumableBody } from '../../src/store/resumable-body.ts';

const unavailable = new ThawError('StoreUnavailable', 'gone');

async function* pieces(...texts: (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) {
    if (text instanceof Error) throw text;
    yield Buffer.from(text);
  }
}

function source(bytes: number, reopen: BodySource['reopen'], signal?: AbortSignal): BodySource {
  return { from: 0, to: bytes, name: 'x', reopen, classify: (error) => error, signal };
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += Buffer.from(chunk).toString();
  return text;
}

test('does not believe an end before all bytes came', async () => {
  const offsets: number[] = [];
  const reopen = async (offset: number) => {
    offsets.push(offset);
    return pieces('0123456789'.slice(offset, offset + 4));
  };
  expect(await textOf(resumableBody(pieces('01'), source(10, reopen)))).toBe('0123456789');
  expect(offsets).toEqual([2, 6]);
});

test('is done when all bytes came, though the connection breaks then', async () => {
  const reopen = () => Promise.reject(new Error('nothing is left to read'));
  expect(await textOf(resumableBody(pieces('0123', unavailable), source(4, reopen)))).toBe('0123');
});

test('refuses more bytes than the object has', async () => {
  const body = resumableBody(
    pieces('01234'),
    source(4, async () => pieces()),
  );
  await expect(textOf(body)).rejects.toMatchObject({
    code: 'ArchiveChanged',
    message: 'x: 5 of 4 bytes came',
  });
});

test('does not try again what is no error of the moment', async () => {
  let reopened = 0;
  const reopen = async () => {
    reopened += 1;
    return pieces();
  };
  const changed = new ThawError('ArchiveChanged', 'other');
  await expect(textOf(resumableBody(pieces('0', changed), source(4, reopen)))).rejects.toBe(changed);
  expect(reopened).toBe(0);
});

test('a backoff gives up after tries without progress, and counts anew after progress', async () => {
  const backoff = new Backoff(undefined, 2);
  await backoff.pause(unavailable);
  backoff.progressed();
  await backoff.pause(unavailable);
  await expect(backoff.pause(unavailable)).rejects.toBe(unavailable);
});
