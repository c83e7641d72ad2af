import type { DumpProof } from '../contract/dump-activities.ts';
import type { DumpRequest } from '../contract/dump-request.ts';

/**
 * Whether a load may be done again that was broken off: one of rows alone into a database that is there could double
 * them, as nobody knows whether the one before it was committed. Where it makes tables, too, in one transaction,
 * those of the one before would be in its way.
 */
export function isRepeatable(request: Pick<DumpRequest, 'mode' | 'part' | 'jobs' | 'allowErrors'>): boolean {
  const { mode, part, jobs, allowErrors } = request;
  if (mode !== 'into-existing' || part.clean) return true;
  const makesTables = !part.dataOnly && (part.sections.length === 0 || part.sections.includes('pre-data'));
  return makesTables && jobs === null && !allowErrors;
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
