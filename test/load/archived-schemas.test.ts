import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findSchemas, type SchemaScope } from '../../src/load/archived-schemas.ts';
import { SchemaTimeline } from '../../src/load/schema-timeline.ts';
import { FolderStore } from '../../src/store/folder-store.ts';
import type { ObjectStore, ReadOptions } from '../../src/store/object-store.ts';
import { writeArchive } from '../harness/archive-writer.ts';

let root: string;
let folder: FolderStore;
/** Metadata that was read. */
let reads: string[];
let store: ObjectStore;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'thaw-schemas-'));
  folder = new FolderStore({ kind: 'folder', path: root, prefix: '' });
  reads = [];
  store = new CountedStore({ kind: 'folder', path: root, prefix: '' });
});

class CountedStore extends FolderStore {
  override read(key: string, options?: ReadOptions): Promise<Uint8Array | null> {
    reads.push(key);
    return super.read(key, options);
  }
}

afterEach(() => rm(root, { recursive: true }));

const whole: SchemaScope = {
  folders: ['db/t/', 'db/public/t/'],
  schema: 'public',
  startDate: null,
  endDate: null,
  keys: null,
  signal: new AbortController().signal,
};

/** Writes a run of the archiver; numbers go on from the run before, as real ones do. */
async function run(
  second: string,
  from: number,
  batches: number,
  columns: readonly string[],
  how: { readonly schema?: string; readonly each?: boolean } = {},
): Promise<string[]> {
  const listed = columns.map((name) => ({ name, data_type: 'text', udt_name: 'text' }));
  const keys: string[] = [];
  for (let place = 0; place < batches; place++) {
    const hasSchema = place === 0 || how.each === true;
    const { key } = await writeArchive((name, body) => folder.write(name, body), {
      ...{ prefix: '', database: 'db', table: 't', schema: how.schema ?? 'public', manifest: false },
      ...{ archivedAt: new Date(second), batch: from + place, primaryKey: 'id' },
      rows: [{ id: 10 ** place }],
      ...(hasSchema ? { tableSchema: { columns: listed } } : {}),
    });
    keys.push(key);
  }
  return keys;
}

function names({ schema }: { schema: { columns: readonly { name: string }[] } }): string {
  return schema.columns.map(({ name }) => name).join();
}

test('only metadata that is as large as one with a schema is read', async () => {
  const [one] = await run('2026-01-04T05:00:00Z', 1, 20, ['id', 'a']);
  await run('2026-01-05T05:00:00Z', 21, 20, ['id', 'a']);
  const [three, ...more] = await run('2026-01-06T05:00:00Z', 41, 20, ['id', 'b']);

  const found = await findSchemas(store, whole, async (archives) => archives.slice(-5));

  expect(found.marks.map((mark) => [mark.key, names(mark)])).toEqual([
    [one, 'id,a'],
    [three, 'id,b'],
  ]);
  expect(found.used.map(names)).toEqual(['id,b']);
  expect(found).toMatchObject({ untold: false, extent: { archives: 60 } });
  expect(reads).toHaveLength(4);

  const timeline = new SchemaTimeline(found.marks.toReversed());
  expect(timeline.at(more.at(-1) ?? '')?.columns[1]?.name).toBe('b');
  expect(timeline.at(one?.replace('_001', '_009') ?? '')?.columns[1]?.name).toBe('a');
  expect(timeline.at(one?.replace('day=04', 'day=03').replace('20260104', '20260103') ?? '')).toBe(null);
});

test('every one is read where every archive has a schema', async () => {
  await run('2026-01-04T05:00:00Z', 1, 5, ['id', 'a'], { each: true });
  await run('2026-01-05T05:00:00Z', 1, 5, ['id', 'b'], { each: true });
  const found = await findSchemas(store, whole, async (archives) => archives);
  expect(found.marks.map(names)).toEqual(['id,a', 'id,b']);
  expect(reads).toHaveLength(10);
});

test('looks further back for archives whose run began before what was asked for, and passes over other schemas', async () => {
  await run('2026-01-03T05:00:00Z', 1, 1, ['id', 'a']);
  const [, late = ''] = await run('2026-01-04T23:00:00Z', 1, 2, ['id', 'b']);
  const next = late.replace('day=04', 'day=05').replace('20260104T23', '20260105T01');
  for (const key of [late, late.replace('.jsonl.gz', '.metadata.json')]) {
    const bytes = await folder.read(key);
    await folder.write(key.replace(late.slice(0, -9), next.slice(0, -9)), bytes ?? Buffer.of());
  }
  await run('2026-01-05T00:30:00Z', 1, 1, ['id', 'other'], { schema: 'audit' });

  const dated = await findSchemas(store, { ...whole, startDate: '2026-01-05' }, async (archives) => archives);
  expect(dated.used.map(names)).toEqual(['id,b']);
  expect(dated.extent.archives).toBe(2);
  const named = await findSchemas(store, { ...whole, keys: [next] }, async (archives) => archives);
  expect(named.used.map(names)).toEqual(['id,b']);
  expect(named.extent.archives).toBe(1);
});

test('tells that nothing is known of archives before the first schema, or without any', async () => {
  await run('2026-01-05T05:00:00Z', 1, 2, ['id', 'a'], { schema: 'audit' });
  const found = await findSchemas(store, whole, async (archives) => archives);
  expect(found).toMatchObject({ marks: [], used: [], untold: true, extent: { archives: 2 } });
});
