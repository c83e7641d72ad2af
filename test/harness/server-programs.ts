import { describe } from 'vitest';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { findServerPrograms, type ServerPrograms } from '../../src/dump/tools/server-programs.ts';

const programs = await findServerPrograms(process.env, 15).catch((error: unknown) => {
  if (error instanceof ThawError) return null;
  throw error;
});

/**
 * Tests that need a PostgreSQL server of this machine, with all its programs. Where it is not installed they count as
 * skipped, and the name of the suite says why.
 */
export function describeWithServer(name: string, tests: () => void): void {
  const why = ' (skipped: the server programs of PostgreSQL 15 are not installed)';
  describe.skipIf(programs === null)(programs === null ? name + why : name, tests);
}

/** The programs, for tests within {@link describeWithServer}. */
export function serverPrograms(): ServerPrograms {
  if (programs === null) throw new Error('the server programs of PostgreSQL 15 are not installed');
  return programs;
}
