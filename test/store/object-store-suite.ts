import { expect, test } from 'vitest';
import type { ObjectBody, ObjectPage, ObjectStore } from '../../src/store/object-store.ts';

/** All bytes of a body. */
export async function bytesOf(body: ObjectBody): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body.chunks) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Every page from `after` on. */
export async function allPages(
  store: ObjectStore,
  prefix: string,
  limit: number,
  from: string | null = null,
): Promise<ObjectPage[]> {
  const pages: ObjectPage[] = [];
  let after = from;
  do {
    const page = await store.list({ prefix, after, limit });
    pages.push(page);
    after = page.next;
  } while (after !== null);
  return pages;
}

function keysOf(pages: readonly ObjectPage[]): string[] {
  return pages.flatMap((page) => page.objects.map((object) => object.key));
}

/** What every store must do; `store` gives an empty one. */
export function objectStoreSuite(store: () => ObjectStore): void {
  const put = (key: string, text: string) => store().write(key, Buffer.from(text), 'text/plain');

  test('reads back what was written, and replaces it whole', async () => {
    await put('rw/a.json', 'a longer first version');
    await put('rw/a.json', 'second');
    expect(Buffer.from((await store().read('rw/a.json')) ?? []).toString()).toBe('second');
    const body = await store().open('rw/a.json');
    expect(body.bytes).toBe(6);
    expect((await bytesOf(body)).toString()).toBe('second');
  });

  test('reads a part of an object, small or large', async () => {
    const large = Buffer.alloc(3_000_000, 'abcdefg');
    await store().write('part/large', large, 'text/plain');
    await put('part/small', '0123456789');
    const part = async (key: string, from: number, to?: number) => {
      const body = await store().open(key, { from, to });
      return [body.bytes, await bytesOf(body)] as const;
    };
    expect(await part('part/small', 2, 5)).toEqual([10, Buffer.from('234')]);
    expect(await part('part/small', 7)).toEqual([10, Buffer.from('789')]);
    expect(await part('part/small', 0, 1)).toEqual([10, Buffer.from('0')]);
    const [bytes, middle] = await part('part/large', 1_000_001, 2_900_003);
    expect([bytes, middle.equals(large.subarray(1_000_001, 2_900_003))]).toEqual([3_000_000, true]);
  });

  test('reads an empty object as no bytes, and a missing one as null', async () => {
    await put('rw/empty', '');
    expect(await store().read('rw/empty')).toHaveLength(0);
    expect((await bytesOf(await store().open('rw/empty'))).length).toBe(0);
    expect(await store().read('rw/missing')).toBeNull();
    expect(await store().read('rw')).toBeNull();
    await expect(store().open('rw/missing')).rejects.toMatchObject({
      code: 'ArchiveNotFound',
      object: 'rw/missing',
    });
  });

  test.each([
    'odd/a b',
    'odd/year=2026',
    'odd/ünï€😀',
    'odd/a+b',
    'odd/100%',
    'odd/%41',
    "odd/!'()*~",
    'odd/a?b#c&d',
    'odd/a:@,;$',
    'odd/"q"<x>',
  ])('takes the key %s as it is', async (key) => {
    await put(key, `value of ${key}`);
    expect(Buffer.from((await store().read(key)) ?? []).toString()).toBe(`value of ${key}`);
    expect(keysOf(await allPages(store(), 'odd/', 1000))).toContain(key);
  });

  test('lists by the bytes of the keys, across folders and pages', async () => {
    const keys = ['B', 'a-b', 'a/x', 'a/y', 'a0', 'z', 'é', '\uffee', '😀'].map((name) => `order/${name}`);
    for (const key of keys.toReversed()) await put(key, key);
    await put('order-not/x', '');
    for (const limit of [1, 2, 1000]) expect(keysOf(await allPages(store(), 'order/', limit))).toEqual(keys);
    for (const [index, key] of keys.entries())
      expect(keysOf(await allPages(store(), 'order/', 3, key))).toEqual(keys.slice(index + 1));
    // A cursor need not be a key that is there, and may lie before or after all of the prefix.
    expect(keysOf(await allPages(store(), 'order/', 3, 'order/a.'))).toEqual(keys.slice(2));
    expect(keysOf(await allPages(store(), 'order/', 3, 'a'))).toEqual(keys);
    expect(keysOf(await allPages(store(), 'order/', 3, 'order0'))).toEqual([]);
    expect(await store().list({ prefix: 'order/none/' })).toEqual({ objects: [], next: null });
  });

  test('tells size, entity tag and time in the listing', async () => {
    const before = Date.now();
    await put('info/one', '12345');
    const { objects } = await store().list({ prefix: 'info/' });
    const body = await store().open('info/one');
    expect(objects).toHaveLength(1);
    expect(objects[0]).toMatchObject({ key: 'info/one', bytes: 5, etag: body.etag });
    expect(body.etag).toMatch(/^[0-9a-f-]+$/);
    expect(Math.abs(Date.parse(objects[0]?.modifiedAt ?? '') - before)).toBeLessThan(60_000);
  });

  test('refuses an object whose entity tag is another one', async () => {
    await put('tag/one', 'first');
    const { etag } = await store().open('tag/one');
    await put('tag/one', 'other');
    await expect(store().open('tag/one', { etag })).rejects.toMatchObject({ code: 'ArchiveChanged' });
    await expect(store().read('tag/one', { etag })).rejects.toMatchObject({ code: 'ArchiveChanged' });
  });

  test('writes over what it is told to replace only', async () => {
    await store().write('cond/one', Buffer.from('first'), 'text/plain', null);
    await expect(store().write('cond/one', Buffer.from('late'), 'text/plain', null)).rejects.toMatchObject({
      code: 'ArchiveChanged',
    });
    const { etag } = await store().open('cond/one');
    await store().write('cond/one', Buffer.from('second'), 'text/plain', etag);
    await expect(store().write('cond/one', Buffer.from('late'), 'text/plain', etag)).rejects.toMatchObject({
      code: 'ArchiveChanged',
    });
    expect(Buffer.from((await store().read('cond/one')) ?? []).toString()).toBe('second');
  });

  test('writes what comes in pieces, whole or not at all, and removes it', async () => {
    const pieces = async function* (end?: Error) {
      // More than one part of S3.
      for (let piece = 0; piece < 20; piece += 1) yield Buffer.alloc(1_000_000, piece);
      if (end !== undefined) throw end;
    };
    await store().writeStream('stream/large', pieces(), 'application/zip');
    const { bytes, chunks } = await store().open('stream/large');
    let sum = 0;
    for await (const chunk of chunks) for (const byte of chunk) sum += byte;
    expect({ bytes, sum }).toEqual({ bytes: 20_000_000, sum: 190 * 1_000_000 });

    const small = async function* () {
      yield Buffer.from('small');
    };
    await store().writeStream('stream/small', small(), 'application/zip');
    const fault = Object.assign(new Error('the source broke'), { code: 'ECONNRESET' });
    await expect(store().writeStream('stream/broken', pieces(fault), 'application/zip')).rejects.toBe(fault);
    expect((await store().list({ prefix: 'stream/' })).objects.map(({ key }) => key)).toEqual([
      'stream/large',
      'stream/small',
    ]);

    for (const key of ['stream/large', 'stream/small', 'stream/never']) await store().remove(key);
    expect((await store().list({ prefix: 'stream/' })).objects).toEqual([]);
  });

  test('does nothing for a signal that is aborted already', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(store().list({ prefix: '', signal })).rejects.toThrow('enough');
    await expect(store().open('rw/a.json', { signal })).rejects.toThrow('enough');
  });
}
