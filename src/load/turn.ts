import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { ThawError } from '../contract/thaw-error.ts';
import { askForTurn, blocksEarlierLoad, holdTarget, type TurnClaim } from '../postgres/targets.ts';

/** An earlier load waits for rows that this one has copied: it must give them up. */
export class GiveWay extends Error {
  override readonly name = 'GiveWay';
}

/** No transaction stays open for longer than this waiting for others. */
const longestWait = 60_000;
/** Between two questions: soon at first, since neighbours are often done within milliseconds of each other. */
const shortPause = 5;
const longPause = 50;
/** Asking who waits for whom takes locks in PostgreSQL's lock table, so it is not done each time. */
const blockingCheck = 100;

/**
 * Waits in the loading transaction until all archives before its own are decided.
 *
 * @param holdsRows rows of the target were written already, so an earlier load may be waiting for them
 * @throws GiveWay when one does; ThawError `LockTimeout` after a minute, `TargetBusy` when the table was
 * taken by another restore
 */
export async function awaitTurn(
  client: pg.Client,
  claim: TurnClaim,
  holdsRows: boolean,
  signal: AbortSignal,
): Promise<void> {
  if (!claim.target.ordered) return holdTarget(client, claim);
  const begun = Date.now();
  let checkedAt = 0;
  while ((await askForTurn(client, claim)) === 'wait') {
    const waited = Date.now() - begun;
    if (waited > longestWait) throw waitedTooLong();
    if (holdsRows && Date.now() - checkedAt > blockingCheck) {
      if (await blocksEarlierLoad(client, claim.restoreId, claim.target.oid, claim.from)) throw new GiveWay();
      checkedAt = Date.now();
    }
    await delay(waited < 1000 ? shortPause : longPause, undefined, { signal });
  }
}

function waitedTooLong(): ThawError {
  return new ThawError('LockTimeout', 'The archives before this one are not decided yet.', {
    stage: 'commit',
    hint: 'An earlier archive is being tried again; this one is, too, until its turn comes.',
  });
}
