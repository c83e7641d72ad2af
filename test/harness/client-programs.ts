import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe } from 'vitest';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { findPrograms, type Programs } from '../../src/dump/tools/client-programs.ts';
import type { TestDatabase } from './postgres.ts';

const programs = await findPrograms(process.env, { atLeast: 15 }).catch((error: unknown) => {
  if (error instanceof ThawError) return null;
  throw error;
});

/** Whether they are installed. */
export const hasClientPrograms = programs !== null;

/**
 * Tests that need psql, pg_restore and pg_dump. Where these are not installed they count as skipped, and
 * the name of the suite says why.
 */
export function describeWithPrograms(name: string, tests: () => void): void {
  const why = ' (skipped: psql, pg_restore and pg_dump 15 or newer are not installed)';
  describe.skipIf(programs === null)(programs === null ? name + why : name, tests);
}

/** The programs, for tests within {@link describeWithPrograms}. */
export function clientPrograms(): Programs {
  if (programs === null) throw new Error('psql, pg_restore and pg_dump are not installed');
  return programs;
}

/** Dumps a database with pg_dump and gives what it wrote, such as with `--format=tar`. */
export async function pgDump(database: TestDatabase, ...args: readonly string[]): Promise<Buffer> {
  return runWithUrl(clientPrograms().pgDump, database, args);
}

/** Runs a program of {@link clientPrograms} on a test's database and gives its output. */
export async function runWithUrl(
  program: string,
  database: Pick<TestDatabase, 'url'>,
  args: readonly string[],
): Promise<Buffer> {
  const { stdout } = await promisify(execFile)(program, [`--dbname=${database.url}`, ...args], {
    encoding: 'buffer',
    maxBuffer: 2 ** 30,
  });
  return stdout;
}
