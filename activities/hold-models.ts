import type pg from 'pg';
import type { BundleRequest } from '../src/contract/run-request.ts';
import { inFencedTransaction } from '../src/postgres/bundle-fence.ts';
import { takeModels } from '../src/postgres/bundle-targets.ts';
import { holdTargets, releaseTargets } from '../src/postgres/held-targets.ts';
import type { BundleWorker } from './bundle-tools.ts';
import { temporalName } from './temporal-name.ts';

/** Proves, within a loading transaction, that tables are still held: those of some oids, or all. @throws ThawError `TargetBusy` */
export type Prove = (oids?: ReadonlySet<number>) => Promise<void>;

/**
 * Does something while the tables of models are held, so that no other restore writes into them.
 *
 * @throws ThawError `TargetBusy` while another restore is alive on one of them
 */
export async function whileHolding<T>(
  { thaw }: BundleWorker,
  request: BundleRequest,
  client: pg.Client,
  models: readonly string[],
  work: (prove: Prove) => Promise<T>,
): Promise<T> {
  const { restoreId, namespace } = request;
  const taker = { restoreId, workflow: await temporalName() };
  const held = await inFencedTransaction(client, restoreId, () =>
    takeModels(client, taker, namespace, models),
  );
  // By a session of its own: that of the work ends with a cancellation.
  const { signal } = new AbortController();
  const release = () =>
    thaw.withConnection(request, `thaw/${restoreId}/release`, signal, (other) =>
      releaseTargets(other, restoreId, held),
    );
  try {
    const result = await work((oids) =>
      holdTargets(client, restoreId, oids === undefined ? held : held.filter(({ oid }) => oids.has(oid))),
    );
    await release();
    return result;
  } catch (error) {
    // What cannot be let go now is free once the lease has run out.
    await release().catch(() => {});
    throw error;
  }
}
