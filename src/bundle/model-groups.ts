import type pg from 'pg';
import { readForeignKeys } from '../postgres/foreign-keys.ts';
import type { ModelFile } from './bundle.ts';
import { orderModels } from './model-order.ts';

/** So much one activity loads: a worker that takes over begins anew with a group, but opens the bundle again for each part. */
const partFiles = 50;
const partBytes = 64 * 1024 * 1024;

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
  const groups = orderModels(files.map(({ model }) => ({ model, parents: parents.get(model) ?? [] })));
  const byModel = new Map(files.map((file) => [file.model, file]));
  return groups.map((group) => group.flatMap((model) => byModel.get(model) ?? []));
}

/** Puts groups together into parts, in their order. */
export function partGroups(groups: readonly (readonly ModelFile[])[]): ModelFile[][][] {
  const parts: ModelFile[][][] = [];
  let files = Number.POSITIVE_INFINITY;
  let bytes = 0;
  for (const group of groups) {
    const groupBytes = group.reduce((sum, file) => sum + file.bytes, 0);
    if (files + group.length > partFiles || bytes + groupBytes > partBytes) {
      parts.push([]);
      files = 0;
      bytes = 0;
    }
    parts.at(-1)?.push([...group]);
    files += group.length;
    bytes += groupBytes;
  }
  return parts;
}
