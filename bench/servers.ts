import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { DeleteObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { s3Client } from '../src/stack/s3-gateway.ts';
import { type Stack, startStack } from '../src/stack/stack.ts';
import type { Put } from '../test/harness/archive-writer.ts';
import { database, table } from './audit-log.ts';
import { cpuSeconds } from './cpu.ts';
import { generateSet, prefix, sets } from './generate.ts';
import type { ArchiveBenchOptions } from './options.ts';

/** The servers of a benchmark, with the archives in the bucket and the CSV beside them. */
export interface BenchServers {
  readonly stack: Stack;
  readonly bucket: string;
  readonly csvFile: string;
  /** Takes away what a restore leaves beside the archives, which would make the next one skip everything. */
  forgetRestores(): Promise<void>;
  stop(): Promise<void>;
}

/** CPU seconds of the servers; null where unknown. */
export interface ServerCpu {
  readonly postgres: number | null;
  readonly s3: number | null;
  readonly temporal: number | null;
}

/** Starts the servers with durable settings and sees that the set is there. */
export async function startServers(
  options: ArchiveBenchOptions,
  log: (line: string) => void,
): Promise<BenchServers> {
  const folder = path.resolve(options.folder);
  const bucket = options.objects === null ? `bench-${options.set}` : 'bench-objects';
  const setFolder = path.join(folder, bucket);
  const ready = path.join(setFolder, 'ready');
  const kept = options.objects === null && existsSync(ready);
  if (!kept) {
    for (const part of ['buckets', 'metadata']) clear(path.join(folder, 's3', part, bucket));
    clear(setFolder);
    mkdirSync(setFolder, { recursive: true });
  }
  // What a benchmark that broke off left in Temporal would be gone on with, into tables that are no more.
  for (const part of ['temporal', 'state']) clear(path.join(folder, part));
  const stack = await startStack({ folder, bucket, durable: true, log });
  const client = s3Client(stack.s3);
  const servers: BenchServers = {
    stack,
    bucket,
    csvFile: path.join(setFolder, 'rows.csv'),
    forgetRestores: async () => {
      const Key = `${prefix}/${database}/${table}/.restore_watermark.json`;
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
    },
    stop: async () => {
      client.destroy();
      await stack.stop();
    },
  };
  if (kept) return servers;
  try {
    log(options.objects === null ? `making the set ${options.set}` : `putting ${options.objects} into S3`);
    await provide(options, servers.csvFile, putTo(client, bucket));
    writeFileSync(ready, '');
    return servers;
  } catch (error) {
    await servers.stop();
    throw error;
  }
}

/** CPU seconds that the servers have used so far. */
export function serverCpu({ postgres, s3, temporal }: Stack): ServerCpu {
  return {
    postgres: cpuSeconds(postgres.process.pid),
    s3: cpuSeconds(s3.process.pid),
    temporal: cpuSeconds(temporal.process.pid),
  };
}

async function provide(options: ArchiveBenchOptions, csvFile: string, put: Put): Promise<void> {
  if (options.objects === null) return await generateSet(sets[options.set], put, csvFile);
  await generateSet(sets[options.set], async () => undefined, csvFile);
  const found = await readdir(options.objects, { recursive: true, withFileTypes: true });
  for (const entry of found.filter((each) => each.isFile())) {
    const file = path.join(entry.parentPath, entry.name);
    const key = path.relative(options.objects, file).split(path.sep).join('/');
    await put(key, await readFile(file));
  }
}

function putTo(client: S3Client, bucket: string): Put {
  return async (key, body) => {
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
  };
}

function clear(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
