import { rm } from 'node:fs/promises';
import { z } from 'zod';
import { askToEnd, describeProcess, endProcess } from './process-identity.ts';
import { readJson, writeJson } from './standalone-file.ts';
import type { StandalonePlace } from './standalone-place.ts';

const serverRecord = z.object({
  pid: z.number().int().positive(),
  startedAt: z.string(),
  port: z.number().int(),
  uiPort: z.number().int(),
  database: z.string().min(1),
  ready: z.boolean(),
  /** It was told to end; with this written it may already be about to. */
  ending: z.boolean().default(false),
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

/** Ends the recorded server, if it is one of ours, and waits for that. The record stays, for its ports. */
export async function endServer(record: ServerRecord, graceMs: number): Promise<void> {
  if (isRunning(record)) await endProcess(record, { graceMs });
}

/**
 * Tells the recorded server to end, and leaves it to that: it takes a second, for which no command need wait.
 * The record stays, by which the next start finds it, waits for it and takes its ports.
 */
export async function dismissServer(place: StandalonePlace, record: ServerRecord): Promise<void> {
  // While it ends it still answers, and nobody may take it for a live one.
  await writeRecord(place, { ...record, ready: false, ending: true });
  if (isRunning(record)) askToEnd(record);
}

/** Ends the recorded server, waits for that, and removes its record. */
export async function discardServer(place: StandalonePlace, record: ServerRecord): Promise<void> {
  await endServer(record, 10_000);
  await rm(place.record, { force: true });
}

/** `127.0.0.1:port` of its gRPC frontend. */
export function serverAddress(record: ServerRecord): string {
  return `127.0.0.1:${record.port}`;
}
