import { createHash } from 'node:crypto';
import { Slicer } from '../archive/slicer.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { Sink } from '../load/sink.ts';
import type { TargetColumn } from '../postgres/catalog.ts';
import type { ModelFile } from './bundle.ts';

/** What was read of a file. */
export interface CopiedModel {
  readonly records: number;
  /** Lower-case hex. */
  readonly sha256: string;
  /** Keys of the records that no column takes, with the number of their values. */
  readonly unknown: ReadonlyMap<string, number>;
}

/**
 * Reads the records of a model to their end and gives them to a sink. Values of jsonb lie in bundles as they
 * are, never as text within a string.
 *
 * @param sink null: the records are only checked
 * @throws ThawError for what is damaged, is no JSON, is of another number than the manifest says, or has a
 *   value that its column cannot take
 */
export async function copyModel(
  file: ModelFile,
  columns: readonly Pick<TargetColumn, 'name' | 'type'>[],
  sink: Sink | null,
  onRecords: (records: number) => void | Promise<void>,
): Promise<CopiedModel> {
  const slicer = new Slicer(
    columns.map(({ name, type }) => ({ name, key: name, type })),
    { archive: file.name, placesOf: file.name, nestedJson: new Set(columns.map(({ name }) => name)) },
  );
  const take = async (pieces: ReturnType<Slicer['end']>) => {
    for (const piece of pieces) {
      if (sink === null) piece.release();
      else await sink.write(0, piece);
    }
  };
  // What the manifest tells is compared where the file is read.
  const digest = file.sha256 === null ? createHash('sha256') : null;
  try {
    for await (const chunk of await file.open()) {
      digest?.update(chunk);
      const before = slicer.rows;
      await take(slicer.push(chunk));
      await onRecords(slicer.rows - before);
    }
    const before = slicer.rows;
    await take(slicer.end());
    await onRecords(slicer.rows - before);
  } finally {
    slicer.dispose();
  }
  if (file.records !== null && file.records !== slicer.rows) throw otherCount(file, slicer.rows);
  const sha256 = digest?.digest('hex') ?? file.sha256 ?? '';
  return { records: slicer.rows, sha256, unknown: slicer.unknownKeys };
}

function otherCount({ name, records }: ModelFile, found: number): ThawError {
  return new ThawError(
    'CountMismatch',
    `${name}: it has ${found} records, and manifest.json says ${records}.`,
    {
      object: name,
      hint: 'Make the bundle anew from its extract.',
    },
  );
}

/** SHA-256 of a file that the manifest tells none of, in lower-case hex. */
export async function digestOf(file: ModelFile): Promise<string> {
  const digest = createHash('sha256');
  for await (const chunk of await file.open()) digest.update(chunk);
  return digest.digest('hex');
}
