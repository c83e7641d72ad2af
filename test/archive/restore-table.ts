import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import type pg from 'pg';
import type { ArchiveColumn } from '../../src/archive/column-type.ts';
import type { CopyPiece } from '../../src/archive/copy-piece.ts';
import { RestartNested } from '../../src/archive/slice-error.ts';
import { Slicer, type SlicerOptions } from '../../src/archive/slicer.ts';
import { readTarget } from '../../src/postgres/catalog.ts';
import { Copy } from '../../src/postgres/copy.ts';
import { qualifiedName } from '../../src/postgres/identifier.ts';
import { type FixtureSet, fixtureObjects } from '../harness/fixture.ts';

/** The columns of a table that rows may be written to. */
export async function columnsOf(client: pg.Client, schema: string, table: string): Promise<ArchiveColumn[]> {
  const target = await readTarget(client, schema, table);
  return target.columns
    .filter((column) => column.generated === null)
    .map(({ name, type }) => ({ name, key: name, type }));
}

/** Loads JSON lines into a table by nothing but slicer and COPY; the chunks are as long as told. */
export async function restoreLines(
  client: pg.Client,
  schema: string,
  table: string,
  lines: Buffer,
  options: SlicerOptions = {},
  chunkBytes = 64 * 1024,
): Promise<Slicer> {
  const columns = await columnsOf(client, schema, table);
  await client.query('begin');
  try {
    const slicer = new Slicer(columns, options);
    let copy: Copy | null = null;
    let of: readonly number[] = [];
    let rows = 0;
    const write = async (pieces: CopyPiece[]) => {
      for (const piece of pieces) {
        if (copy === null || piece.columns !== of) {
          rows += (await copy?.finish()) ?? 0;
          of = piece.columns;
          const names = of.map((index) => columns[index]?.name ?? '');
          copy = new Copy(client, qualifiedName(schema, table), names);
        }
        await copy.write(piece);
      }
    };
    for (let at = 0; at < lines.length; at += chunkBytes) {
      await write(slicer.push(lines.subarray(at, at + chunkBytes)));
    }
    await write(slicer.end());
    rows += (await (copy as Copy | null)?.finish()) ?? 0;
    if (rows !== slicer.rows) throw new Error(`PostgreSQL took ${rows} rows of ${slicer.rows}`);
    await client.query('commit');
    return slicer;
  } catch (error) {
    await client.query('rollback');
    if (!(error instanceof RestartNested)) throw error;
    const nestedJson = new Set([...(options.nestedJson ?? []), error.column]);
    return restoreLines(client, schema, table, lines, { ...options, nestedJson }, chunkBytes);
  }
}

/** Loads all archives of a table of a fixture set. */
export async function restoreFixture(
  client: pg.Client,
  set: FixtureSet,
  folder: string,
  table: { readonly schema?: string; readonly name: string },
  options: SlicerOptions = {},
): Promise<void> {
  const objects = await fixtureObjects(set);
  for (const { key, file } of objects) {
    if (!key.startsWith(`archives/${folder}/`) || !key.endsWith('.jsonl.gz')) continue;
    const lines = gunzipSync(await readFile(file));
    await restoreLines(client, table.schema ?? 'public', table.name, lines, options, 1_000);
  }
}
