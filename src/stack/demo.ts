import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import pg from 'pg';
import { type DemoRun, restoreThroughApi } from './demo-api.ts';
import { type DevStack, startDev } from './dev.ts';
import { s3Client } from './s3-gateway.ts';
import { aborted, awaitStopRequest } from './stop-request.ts';

/** How to show the demo. */
export interface DemoOptions {
  /** Leaves everything running after the restore, until Ctrl-C. */
  readonly keep: boolean;
  /** Folder with the sets of archives: `audit-logs` and `shop`. */
  readonly fixtures: string;
  readonly print: (line: string) => void;
}

/** A database of the demo, and what is restored into it. */
interface DemoDatabase {
  readonly name: string;
  readonly set: string;
  readonly tables: readonly string[];
}

const databases: readonly DemoDatabase[] = [
  { name: 'production_db', set: 'audit-logs', tables: ['audit_logs'] },
  { name: 'shop_db', set: 'shop', tables: ['orders', 'line_items', 'tickets'] },
];

/**
 * Shows a restore from beginning to end, in a temporary folder: starts the stack, puts real archives into
 * S3, restores them through the HTTP API, and compares what came back with the rows that were archived.
 *
 * @returns exit code: 0 when every row came back, 1 otherwise
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { signal, release } = awaitStopRequest();
  const folder = mkdtempSync(path.join(tmpdir(), 'thaw-demo-'));
  // PostgreSQL, which does not run as root, must get through.
  chmodSync(folder, 0o711);
  try {
    const dev = await startDev({
      ...{ folder: path.join(folder, 'thaw'), port: 0, worker: true, config: null },
      ...{ log: options.print, signal },
    });
    const exitCode = await show(dev, options, signal).finally(() => {
      options.print('Stopping everything.');
      return dev.stop();
    });
    rmSync(folder, { recursive: true, force: true });
    return exitCode;
  } catch (error) {
    if (signal.aborted) {
      rmSync(folder, { recursive: true, force: true });
      return 130;
    }
    options.print(error instanceof Error ? error.message : String(error));
    options.print(`What happened is in ${path.join(folder, 'thaw', 'logs')}.`);
    return 1;
  } finally {
    release();
  }
}

async function show(dev: DevStack, options: DemoOptions, signal: AbortSignal): Promise<number> {
  const { print } = options;
  print(`Temporal UI: ${dev.env.TEMPORAL_UI_URL}`);
  print(`API:         ${dev.env.THAW_API_URL}`);
  let exact = true;
  for (const database of databases) {
    const objects = await putArchives(dev, path.join(options.fixtures, database.set));
    print('');
    print(
      `${database.name}: ${objects} objects in s3://${dev.env.THAW_BUCKET}; ${database.tables.join(', ')} empty`,
    );
    await makeTables(dev, database, options.fixtures);
    const run = await restoreThroughApi(dev.env, database, print, signal);
    for (const line of summary(run)) print(line);
    print(
      `  Temporal: ${dev.env.TEMPORAL_UI_URL}/namespaces/default/workflows/${encodeURIComponent(`restore/${run.run_id}`)}`,
    );
    exact = (await compare(dev, database, options)) && exact;
  }
  print('');
  print(
    exact
      ? 'Every row is back exactly as it was archived.'
      : 'The restored rows are not those that were archived.',
  );
  if (options.keep) {
    print(`Everything is still running; its addresses are in ${dev.envFile}. Ctrl-C ends it.`);
    await aborted(signal);
  }
  return exact ? 0 : 1;
}

/** Puts all objects of a set under their exact keys; gives their number. */
async function putArchives(dev: DevStack, set: string): Promise<number> {
  const { env } = dev;
  const client = s3Client({
    endpoint: env.AWS_ENDPOINT_URL_S3,
    region: env.AWS_REGION,
    accessKeyId: env.AWS_ACCESS_KEY_ID,
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
  });
  const list = JSON.parse(await readFile(path.join(set, 'objects.json'), 'utf8')) as {
    objects: { key: string }[];
  };
  try {
    for (const { key } of list.objects) {
      const body = await readFile(path.join(set, 'objects', key));
      await client.send(new PutObjectCommand({ Bucket: env.THAW_BUCKET, Key: key, Body: body }));
    }
  } finally {
    client.destroy();
  }
  return list.objects.length;
}

async function makeTables(dev: DevStack, database: DemoDatabase, fixtures: string): Promise<void> {
  const ddl = await readFile(path.join(fixtures, database.set, 'schema.sql'), 'utf8');
  await inDatabase(dev, database.name, (client) => client.query(ddl));
}

/** The documented summary. */
function summary({ counts }: DemoRun): string[] {
  const count = (value: number) => value.toLocaleString('en-US');
  return [
    'Restore Summary:',
    `  Files processed: ${counts.archives_restored + counts.archives_failed}`,
    `  Files failed: ${counts.archives_failed}`,
    `  Records restored: ${count(counts.records_inserted + counts.records_updated)}`,
    `  Records skipped: ${count(counts.records_skipped)}`,
    `  Records failed: ${count(counts.records_failed)}`,
  ];
}

/** Compares each table with the checksum that it had before it was archived. */
async function compare(dev: DevStack, database: DemoDatabase, options: DemoOptions): Promise<boolean> {
  const file = path.join(options.fixtures, database.set, 'expected', 'checksums.txt');
  const expected = (await readFile(file, 'utf8')).trim().split('\n');
  return inDatabase(dev, database.name, async (client) => {
    let exact = true;
    for (const line of expected) {
      const [table = '', rows, checksum] = line.split('|');
      const { rows: found } = await client.query<{ rows: string; checksum: string }>(checksumOf(table));
      const equal = found[0]?.rows === rows && found[0]?.checksum === checksum;
      options.print(`  ${table}: ${found[0]?.rows} of ${rows} rows, ${equal ? 'all equal' : 'NOT EQUAL'}`);
      exact &&= equal;
    }
    return exact;
  });
}

/** Rows and checksum in the order of the primary key, which is the leading columns of each of these tables. */
function checksumOf(table: string): string {
  const key =
    table === 'public.line_items' ? 'order_id, line_no' : table === 'public.orders' ? 'order_id' : 'id';
  return `select count(*) as rows, md5(string_agg(md5(t::text), '' order by ${key})) as checksum from ${table} t`;
}

async function inDatabase<T>(
  dev: DevStack,
  name: string,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: dev.databaseUrl(name) });
  await client.connect();
  try {
    await client.query(`set timezone = 'UTC'`);
    return await use(client);
  } finally {
    await client.end();
  }
}
