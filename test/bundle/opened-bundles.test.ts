import { randomBytes } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import type { Bundle } from '../../src/bundle/bundle.ts';
import { OpenedBundles } from '../../src/bundle/opened-bundles.ts';
import type { ReadableStore } from '../../src/bundle/stored-object.ts';
import type { StoredSource } from '../../src/contract/run-request.ts';
import { makeZip } from './zip-writer.ts';

/** Ranges that were read, but for the first byte. */
let reads = 0;
let zip: Buffer;
let etag = '1';
/** Reads wait for it. */
let gate: Promise<void> = Promise.resolve();

const store: ReadableStore = {
  open: async (_, { from = 0, to } = {}) => {
    if (to !== 1) {
      reads += 1;
      await gate;
    }
    const chunks = (async function* () {
      yield zip.subarray(from, to);
    })();
    return { bytes: zip.length, etag, chunks };
  },
};
const source: StoredSource = { kind: 'stored', key: 'k.zip', sha256: '', filename: 'k.zip' };
const { signal } = new AbortController();

beforeEach(async () => {
  reads = 0;
  etag = '1';
  gate = Promise.resolve();
  zip = await makeZip({
    'a.jsonl': '{"id":1}\n',
    'b.jsonl': randomBytes(3_000_000),
    'describe.yaml': 'a: { fields: { n: { type: integer } } }',
  });
});

async function textOf(bundle: Bundle, model: string): Promise<string> {
  const chunks: Buffer[] = [];
  const file = bundle.files.find((each) => each.model === model);
  for await (const chunk of (await file?.open()) ?? []) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}

test('what one activity has opened the next one uses, and small files need no request of their own', async () => {
  const bundles = new OpenedBundles(store);
  const read = () =>
    bundles.use(source, signal, async (bundle) => {
      await bundle.readDescription();
      return textOf(bundle, 'a');
    });
  expect(await read()).toBe('{"id":1}\n');
  // The directory at its end, and the beginning.
  expect(reads).toBe(2);
  expect(await read()).toBe('{"id":1}\n');
  expect(reads).toBe(2);
  zip = await makeZip({ 'a.jsonl': '{"id":2}\n', 'describe.yaml': '' });
  etag = '2';
  expect(await read()).toBe('{"id":2}\n');
  expect(reads).toBe(3);
});

test('one that cannot be opened is tried anew', async () => {
  const bundles = new OpenedBundles(store);
  const whole = zip;
  zip = whole.subarray(0, 100);
  const read = () => bundles.use(source, signal, async ({ files }) => files.length);
  await expect(read()).rejects.toMatchObject({ code: 'InputInvalid' });
  zip = whole;
  expect(await read()).toBe(2);
});

test('who is told to stop stops at once, and others read on', async () => {
  const bundles = new OpenedBundles(store);
  await bundles.use(source, signal, async () => {});
  let open = () => {};
  gate = new Promise((resolve) => {
    open = resolve;
  });
  const stopping = new AbortController();
  const stopped = bundles.use(source, stopping.signal, (bundle) => textOf(bundle, 'b'));
  const other = bundles.use(source, signal, (bundle) => textOf(bundle, 'b'));
  const reason = new Error('stop');
  stopping.abort(reason);
  await expect(stopped).rejects.toBe(reason);
  open();
  expect((await other).length).toBe(3_000_000);
});
