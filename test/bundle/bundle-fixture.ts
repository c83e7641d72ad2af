import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { makeZip } from './zip-writer.ts';

const folder = path.resolve('test/fixtures/bundles');

/** The files of a bundle in the source system's format, by name: those of the fixture, and a manifest of them. */
export async function bundleFixture(name: string, rest: object = {}): Promise<Record<string, string>> {
  const names = (await readdir(path.join(folder, name))).sort();
  const files: Record<string, string> = {};
  for (const each of names) files[each] = await readFile(path.join(folder, name, each), 'utf8');
  return withManifest(files, rest);
}

/** The files with a manifest as the source system writes it, in its order: data before description. */
export function withManifest(
  files: Readonly<Record<string, string>>,
  rest: object = {},
): Record<string, string> {
  const artifacts = Object.entries(files).map(([name, text]) => ({
    type: name.endsWith('.jsonl') ? `data-${name.slice(0, -'.jsonl'.length)}` : 'describe',
    name,
    size: Buffer.byteLength(text),
    checksum: createHash('sha256').update(text).digest('hex'),
    records: name.endsWith('.jsonl') ? linesOf(text).length : 0,
  }));
  const manifest = {
    version: '1.0',
    generated_at: '2025-01-19T10:00:00.000Z',
    run_id: '11111111-2222-4333-8444-555555555555',
    extract_id: '66666666-7777-4888-8999-000000000000',
    format: 'jsonl',
    include: ['describe', 'data'],
    artifacts: artifacts.sort((a, b) => (a.type < b.type ? -1 : 1)),
    ...rest,
  };
  return { ...files, 'manifest.json': JSON.stringify(manifest, null, 2) };
}

/** A ZIP of a fixture. */
export async function bundleZip(name: string, rest: object = {}): Promise<Buffer> {
  return makeZip(await bundleFixture(name, rest));
}

/** The records of a file. */
export function recordsOf(text: string): Record<string, unknown>[] {
  return linesOf(text).map((line) => JSON.parse(line) as Record<string, unknown>);
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
