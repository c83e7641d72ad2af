import type pg from 'pg';
import { openBundle } from '../../src/bundle/bundle.ts';
import { importDescribe } from '../../src/bundle/import-describe.ts';
import { findTables, type LoadModelsOptions, loadModels } from '../../src/bundle/load-models.ts';
import type { BundleStrategy } from '../../src/contract/run-request.ts';
import { inFencedTransaction } from '../../src/postgres/bundle-fence.ts';
import { type DecidedFile, readMade } from '../../src/postgres/bundle-ledger.ts';
import { inTransaction } from '../../src/postgres/transaction.ts';
import { bytesOf, makeZip } from './zip-writer.ts';

/** A bundle, and how it is loaded. */
export interface BundleLoad
  extends Partial<Pick<LoadModelsOptions, 'incremental' | 'undoable' | 'way' | 'log'>> {
  readonly restoreId: string;
  readonly namespace: string;
  readonly strategy: BundleStrategy;
  /** Null: none. */
  readonly describe: string | null;
  /** By model: records, or the file as it is. */
  readonly files: Readonly<Record<string, readonly object[] | string>>;
  readonly withData?: boolean;
}

/** Makes what is missing and loads all files in one transaction. */
export async function loadBundle(client: pg.Client, load: BundleLoad): Promise<DecidedFile[]> {
  const { restoreId, namespace, strategy, describe, undoable = false } = load;
  const content = Object.entries(load.files).map(([model, records]) => [
    `${model}.jsonl`,
    typeof records === 'string' ? records : jsonl(records),
  ]);
  const bundle = await openBundle(
    bytesOf(
      await makeZip({
        ...Object.fromEntries(content),
        ...(describe === null ? {} : { 'describe.yaml': describe }),
      }),
    ),
  );
  const scope = { restoreId, namespace };
  await importDescribe(client, (await bundle.readDescription())?.models ?? [], {
    ...scope,
    createModels: true,
    withData: load.withData ?? true,
    undoable,
    held: null,
    transact: (work) => inTransaction(client, work),
    onProgress: () => {},
  });
  const created = (await readMade(client, scope)).filter((made) => made.created).map(({ model }) => model);
  const options: LoadModelsOptions = {
    ...scope,
    strategy,
    incremental: load.incremental ?? false,
    undoable,
    created: new Set(created),
    way: load.way ?? 'staged',
    log: load.log ?? (async () => {}),
    onRecords: async () => {},
  };
  return inFencedTransaction(client, restoreId, async () =>
    loadModels(client, [await findTables(client, namespace, bundle.files)], options),
  );
}

/** A model's file. */
export function jsonl(records: readonly object[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join('');
}
