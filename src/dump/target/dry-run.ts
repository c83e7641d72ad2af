import { availableParallelism } from 'node:os';
import type { DatabaseFacts, DumpProof } from '../../contract/dump-activities.ts';
import type { DumpRequest } from '../../contract/dump-request.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { wouldDoLines } from '../../restore/dump-dry-run.ts';
import { isAllOrNothing } from '../../restore/dump-modes.ts';
import { checkLoad, programsFor } from '../load/load.ts';
import { demandRoom } from '../load/spool.ts';
import { spoolPlace } from '../tools/private-folder.ts';

/** What a dry run has found so far. */
export interface DryRun {
  readonly request: DumpRequest;
  readonly proof: DumpProof;
  readonly before: DatabaseFacts | null;
  /** How many are in the live database. */
  readonly sessions: number;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Looks for what a load needs of this machine, and tells what would be done, a line each. Nothing is made.
 *
 * @throws ThawError as a load does before it begins
 */
export async function planLoad({ request, proof, before, sessions, env }: DryRun): Promise<string[]> {
  const { part, options, jobs, allowErrors } = request;
  const oneTransaction = isAllOrNothing(request, proof);
  checkLoad({ proof, part, options, oneTransaction, allowErrors, cluster: proof.format === 'cluster' });
  const { version } = await programsFor(proof, env);
  const place = spoolPlace(env);
  const isSpooled = proof.format === 'custom' || proof.format === 'directory';
  if (isSpooled)
    await demandRoom(place, proof.bytes).catch((error: unknown) => Promise.reject(told(error, place)));
  return wouldDoLines({
    ...{ request, proof, before, sessions, oneTransaction, version },
    spool: isSpooled ? place : null,
    jobs: isSpooled && !oneTransaction ? (jobs ?? availableParallelism()) : 1,
  });
}

function told(cause: unknown, place: string): unknown {
  if (cause instanceof ThawError) return cause;
  return new ThawError('ConfigInvalid', `${place} cannot be used for the files of a load`, {
    object: 'THAW_SPOOL_DIR',
    hint: 'Name a folder that Thaw may write to in THAW_SPOOL_DIR.',
    cause,
  });
}
