import type { DumpProof } from '../contract/dump-activities.ts';
import type { DumpRequest } from '../contract/dump-request.ts';

/** Whether a load may be done again: one into a database that is there would double its rows. */
export function isRepeatable({ mode, part }: Pick<DumpRequest, 'mode' | 'part'>): boolean {
  return mode !== 'into-existing' || part.clean;
}

/**
 * Whether a dump is loaded in one transaction: into a database that is there, so that a failure leaves it as it was.
 * Who asks for several sessions, or allows errors, gives that up.
 */
export function isAllOrNothing(
  { mode, jobs, allowErrors }: Pick<DumpRequest, 'mode' | 'jobs' | 'allowErrors'>,
  { format }: Pick<DumpProof, 'format'>,
): boolean {
  return mode === 'into-existing' && jobs === null && !allowErrors && format !== 'cluster';
}
