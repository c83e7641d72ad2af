import { createHash, type Hash } from 'node:crypto';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type pg from 'pg';
import { stringify } from 'yaml';
import yazl from 'yazl';
import { ThawError } from '../contract/thaw-error.ts';
import { type CatalogField, copyRows, readCatalogFields } from '../postgres/extract-models.ts';
import { describeModel } from './describe-catalog.ts';
import { isModelName } from './model-name.ts';
import { isProtectedModel } from './protected.ts';

/** What is to be written. */
export interface BundleContent {
  readonly runId: string;
  readonly extractId: string;
  /** The schema. */
  readonly namespace: string;
  readonly include: readonly ('describe' | 'data')[];
  /** null: every table whose name may be that of a model. */
  readonly models: readonly string[] | null;
  /** Called as records are read. */
  onRecords(model: string, records: number): void;
}

/** What was written. */
export interface WrittenBundle {
  readonly models: number;
  readonly records: number;
  /** What of the schema has no words in describe.yaml. */
  readonly notices: readonly string[];
}

interface Artifact {
  readonly type: string;
  readonly name: string;
  readonly size: number;
  readonly checksum: string;
  readonly records: number;
}

/**
 * Writes tables of a schema as a bundle, all as they were at one moment. The result is known when the bytes have been
 * read to their end.
 *
 * @param client a connection of its own
 * @throws ThawError `TargetMissing` for a model that is not there; what the database raises
 */
export function writeBundle(
  client: pg.Client,
  content: BundleContent,
): { readonly bytes: AsyncIterable<Uint8Array>; readonly result: Promise<WrittenBundle> } {
  const zip = new yazl.ZipFile();
  const result = inSnapshot(client, () => write(client, content, zip));
  result.catch((error: unknown) => zip.outputStream.emit('error', error));
  return { bytes: zip.outputStream as AsyncIterable<Uint8Array>, result };
}

async function inSnapshot<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query('begin transaction isolation level repeatable read, read only');
  // Values are written as they are read anywhere: not by the settings of who happens to connect.
  await client.query(
    "set local timezone = 'UTC'; set local extra_float_digits = 1; set local intervalstyle = 'postgres'",
  );
  const result = await work();
  await client.query('commit');
  return result;
}

async function write(client: pg.Client, content: BundleContent, zip: yazl.ZipFile): Promise<WrittenBundle> {
  const models = await chosenModels(client, content);
  const notices: string[] = [];
  const artifacts: Artifact[] = [];
  if (content.include.includes('data')) {
    for (const [model, fields] of models) artifacts.push(await addModel(client, zip, content, model, fields));
  }
  if (content.include.includes('describe')) {
    const described = [...models].map(([model, fields]) => [model, describeModel(fields, notices)]);
    artifacts.push(
      addText(zip, 'describe', 'describe.yaml', stringify(Object.fromEntries(described), { lineWidth: 120 })),
    );
  }
  const { runId, extractId, include } = content;
  const manifest = {
    version: '1.0',
    generated_at: new Date().toISOString(),
    run_id: runId,
    extract_id: extractId,
    format: 'jsonl',
    include,
    artifacts,
  };
  addText(zip, 'manifest', 'manifest.json', `${JSON.stringify(manifest, null, 2)}\n`);
  zip.end();
  const records = artifacts.reduce((sum, artifact) => sum + artifact.records, 0);
  return { models: models.size, records, notices };
}

async function chosenModels(
  client: pg.Client,
  { namespace, models }: BundleContent,
): Promise<Map<string, CatalogField[]>> {
  const all = new Map<string, CatalogField[]>();
  for (const field of await readCatalogFields(client, namespace)) {
    if (!isModelName(field.model) || isProtectedModel(field.model)) continue;
    all.set(field.model, [...(all.get(field.model) ?? []), field]);
  }
  if (models === null) return all;
  const missing = models.filter((model) => !all.has(model));
  if (missing.length > 0) {
    throw new ThawError(
      'TargetMissing',
      `${namespace}: there is no model ${missing.slice(0, 5).join(', ')}`,
      {
        object: missing[0],
        hint: 'Correct the models of the extract: names of tables, as PostgreSQL has them.',
      },
    );
  }
  return new Map([...all].filter(([model]) => models.includes(model)));
}

async function addModel(
  client: pg.Client,
  zip: yazl.ZipFile,
  content: BundleContent,
  model: string,
  fields: readonly CatalogField[],
): Promise<Artifact> {
  const name = `${model}.jsonl`;
  const digest = createHash('sha256');
  const size = { bytes: 0, records: 0 };
  const rows = copyRows(client, content.namespace, model, fields);
  const counted = Readable.from(
    count(rows, digest, size, (records) => content.onRecords(model, records)),
    {
      objectMode: false,
    },
  );
  zip.addReadStream(counted, name);
  await finished(counted);
  return {
    type: `data-${model}`,
    name,
    size: size.bytes,
    checksum: digest.digest('hex'),
    records: size.records,
  };
}

async function* count(
  chunks: AsyncIterable<Buffer>,
  digest: Hash,
  size: { bytes: number; records: number },
  onRecords: (records: number) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    let records = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) records += 1;
    digest.update(chunk);
    size.bytes += chunk.length;
    size.records += records;
    onRecords(records);
    yield chunk;
  }
}

function addText(zip: yazl.ZipFile, type: string, name: string, text: string): Artifact {
  const bytes = Buffer.from(text);
  zip.addBuffer(bytes, name);
  return {
    type,
    name,
    size: bytes.length,
    checksum: createHash('sha256').update(bytes).digest('hex'),
    records: 0,
  };
}
