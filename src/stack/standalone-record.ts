import { rm } from 'node:fs/promises';
import { z } from 'zod';
import { describeProcess, endProcess } from './process-identity.ts';
import { readJson, writeJson } from './standalone-file.ts';
import type { StandalonePlace } from './standalone-place.ts';

const serverRecord = z.object({
  pid: z.number().int().positive(),
  startedAt: z.string(),
  port: z.number().int(),
  uiPort: z.number().int(),
  database: z.string().min(1),
  ready: z.boolean(),
});

/**
 * The server that was started last. It is written before the server's program runs, and only changed under
 * the lock, so there is no server without a record, whoever is killed when.
 */
export type ServerRecord = Readonly<z.infer<typeof serverRecord>>;

/** The record as it stands, whether its server still runs or not; null when the last one was stopped. */
export function readRecord(place: StandalonePlace): Promise<ServerRecord | null> {
  return readJson(place.record, serverRecord);
}

/** Replaces the record. */
export function writeRecord(place: StandalonePlace, record: ServerRecord): Promise<void> {
  return writeJson(place.record, record);
}

/** Tells whether the recorded process still is the server that was started, and nobody who has its pid now. */
export function isRunning(record: ServerRecord): boolean {
  const running = describeProcess(record.pid);
  return (
    running?.startedAt === record.startedAt &&
    running.command.includes(`start-dev --db-filename ${record.database} `)
  );
}

/** Ends the recorded server, if it is one of ours. The record stays, for its ports. */
export async function endServer(record: ServerRecord, graceMs: number): Promise<void> {
  if (isRunning(record)) await endProcess(record, { graceMs });
}

/** Stops the recorded server in an orderly way and removes its record. */
export async function stopServer(place: StandalonePlace, record: ServerRecord): Promise<void> {
  // While it stops it still answers: should this process die now, nobody may take it for a live one.
  await writeRecord(place, { ...record, ready: false });
  await endServer(record, 10_000);
  await rm(place.record, { force: true });
}

/** `127.0.0.1:port` of its gRPC frontend. */
export function serverAddress(record: ServerRecord): string {
  return `127.0.0.1:${record.port}`;
}
