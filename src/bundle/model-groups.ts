import type pg from 'pg';
import { readForeignKeys } from '../postgres/foreign-keys.ts';
import { parentsFirst } from '../restore/parents-first.ts';
import type { ModelFile } from './bundle.ts';
import type { ModelLoad } from './model-load.ts';

/** What is done together, at the most; a group that is larger is by itself. */
interface Size {
  readonly files: number;
  /** Decompressed. */
  readonly bytes: number;
}

/** So much one activity loads: a pause lets it come to its end. */
const partSize: Size = { files: 500, bytes: 64 * 1024 * 1024 };

/** So much one transaction loads: what it costs by itself is little then, and so is what is done again when it fails. */
const packSize: Size = { files: 50, bytes: 4 * 1024 * 1024 };

/** Orders files by the foreign keys of their tables: those that are referred to first, circles in one group. */
export async function groupFiles(
  client: pg.Client,
  namespace: string,
  files: readonly ModelFile[],
): Promise<ModelFile[][]> {
  const keys = await readForeignKeys(
    client,
    files.map(({ model }) => ({ schema: namespace, table: model })),
  );
  const parents = new Map<string, string[]>();
  for (const { child, parent } of keys) {
    parents.set(child.table, [...(parents.get(child.table) ?? []), parent.table]);
  }
  const groups = parentsFirst(files.map(({ model }) => ({ name: model, parents: parents.get(model) ?? [] })));
  const byModel = new Map(files.map((file) => [file.model, file]));
  return groups.map((group) => group.flatMap((model) => byModel.get(model) ?? []));
}

/** Puts groups together into the parts that an activity loads, in their order. */
export function partGroups(groups: readonly (readonly ModelFile[])[]): ModelFile[][][] {
  return together(groups, partSize, ({ bytes }) => bytes);
}

/** Puts groups together into the packs that a transaction loads, in their order. */
export function packGroups(groups: readonly (readonly ModelLoad[])[]): ModelLoad[][][] {
  return together(groups, packSize, ({ file }) => file.bytes);
}

function together<T>(groups: readonly (readonly T[])[], most: Size, bytesOf: (each: T) => number): T[][][] {
  const sets: T[][][] = [];
  let files = Number.POSITIVE_INFINITY;
  let bytes = 0;
  for (const group of groups) {
    const groupBytes = group.reduce((sum, each) => sum + bytesOf(each), 0);
    if (files + group.length > most.files || bytes + groupBytes > most.bytes) {
      sets.push([]);
      files = 0;
      bytes = 0;
    }
    sets.at(-1)?.push([...group]);
    files += group.length;
    bytes += groupBytes;
  }
  return sets;
}
