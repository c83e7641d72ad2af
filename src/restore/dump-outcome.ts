import type { DumpLoad, DumpOutcome, DumpProof, DumpReport } from '../contract/dump-activities.ts';
import type { DumpMode, DumpRequest } from '../contract/dump-request.ts';
import { errorTraits } from '../contract/error-code.ts';
import type { TableError } from '../contract/outcome.ts';
import { isAllOrNothing } from './dump-modes.ts';

/** Failed checks that an error names; the report has them all. */
const checksNamed = 5;

/** The error of a load that is not what its dump says; null for one that is. */
export function verificationError(report: DumpReport, load: DumpLoad, mode: DumpMode): TableError | null {
  if (report.outcome !== 'failed') return null;
  const failed = report.checks.filter(({ outcome }) => outcome === 'failed').slice(0, checksNamed);
  const told = failed.map(({ name, detail }) => `${name}: ${detail}`).join('; ');
  return {
    code: 'VerificationFailed',
    message: `${load.database} is not what was expected: ${told}`,
    hint:
      mode === 'swap'
        ? errorTraits.VerificationFailed.hint
        : 'What was loaded is not what was expected; the report names each check.',
  };
}

/** How far a load has come that came to no good end. */
export interface BrokenLoad {
  readonly request: DumpRequest;
  readonly proof: DumpProof | null;
  /** Null where it did not come to its end. */
  readonly load: DumpLoad | null;
  /** Null for one that was cancelled. */
  readonly error: TableError | null;
}

/** What is said of a database that nothing was done to. */
export function untouched({ database }: Pick<DumpRequest, 'database'>): string {
  return `${database} is as it was.`;
}

/** What a load has left in a database that was there before. */
export function leftInExisting({ request, proof, load, error }: BrokenLoad): string {
  const { database } = request;
  if (load !== null) return `${database} holds what was loaded: it is not taken back.`;
  // Of a worker that was lost nobody knows whether it had committed.
  const isKnown = error?.code !== 'DatabaseUnavailable';
  if (proof?.format === 'cluster') {
    return `The server of ${database} may hold roles and databases of ${proof.dump.key} that were made until then.`;
  }
  const isRolledBack = isKnown && proof !== null && isAllOrNothing(request, proof);
  return isRolledBack ? untouched(request) : `${database} may hold what was loaded until then.`;
}

/** What is said of a database that was dropped for a load that is not what was expected, but all that there is. */
export function leftInPlace({ database }: DumpRequest, load: DumpLoad): string {
  return (
    `${database} was dropped before the load, as asked for. What was loaded is in ${load.database}: ` +
    'look at it, and rename it where it will do.'
  );
}

/** The old database of an outcome; null where none is kept. */
export function keptOld(
  swap: { readonly old: string | null; readonly dropAt: string | null } | null,
  { keepOldSeconds }: DumpRequest,
): DumpOutcome['old'] {
  if (swap === null || swap.old === null || swap.dropAt === null || keepOldSeconds === 0) return null;
  return { name: swap.old, dropAt: swap.dropAt };
}
