import { z } from 'zod';
import { ThawError } from '../../contract/thaw-error.ts';
import type { ArchiveStore } from '../../store/object-store.ts';
import { readBeside } from '../format/read-beside.ts';

const count = z.number().int().nonnegative();

const shape = z.object({
  key: z.string(),
  /** Of the object as it lies in the store. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: count,
  format: z.enum(['tar', 'custom', 'plain']),
  compression: z.literal('gzip'),
  /** ISO 8601. */
  taken_at: z.iso.datetime(),
  database: z.string(),
  server_version: z.string().nullable(),
  pg_dump_version: z.string(),
  /** In all tables together; null where they were not counted. */
  rows: count.nullable(),
  tables: z.array(z.object({ table: z.string(), rows: count.nullable() })),
});

/** What is written beside a dump when it is whole: what it has to be when it is read. */
export type DumpManifest = z.infer<typeof shape>;

/** Where the manifest of a dump lies. */
export function manifestKey(key: string): string {
  return `${key}.manifest.json`;
}

/** A manifest as it is written. */
export function manifestText(manifest: DumpManifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/**
 * The manifest beside a dump; null where there is none, as other tools write none.
 *
 * @throws ThawError `MetadataInvalid` for one that cannot be read; errors of the store
 */
export async function readManifest(
  store: ArchiveStore,
  key: string,
  signal: AbortSignal,
): Promise<DumpManifest | null> {
  const place = manifestKey(key);
  const bytes = await readBeside(store, place, signal);
  if (bytes === null) return null;
  const parsed = shape.safeParse(jsonOf(bytes));
  if (parsed.success) return parsed.data;
  throw new ThawError('MetadataInvalid', `${place}: is no manifest of a dump`, {
    object: place,
    hint: 'Take it away to restore without it; what it says of the dump is then not looked at.',
  });
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
