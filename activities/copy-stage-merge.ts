import { Context } from '@temporalio/activity';
import { rowRangeOf } from '../src/config/row-range.ts';
import type { Activities } from '../src/contract/activities.ts';
import { loadArchives } from '../src/load/load.ts';
import { LoadProgress } from '../src/load/load-progress.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { askedTarget } from '../src/postgres/asked-target.ts';
import { withHeartbeats } from './heartbeat.ts';

/** Download, decompress, slice, COPY, merge and ledger: one archive or pack, streamed, in one transaction. */
export function copyStageMerge(thaw: ThawContext): Activities['copyStageMerge'] {
  return async (input) => {
    const { info, cancellationSignal: signal } = Context.current();
    const progress = new LoadProgress();
    return withHeartbeats(
      () => (progress.alive ? progress.snapshot() : null),
      async () =>
        loadArchives(input, {
          store: thaw.store,
          target: askedTarget(await thaw.target(input.scope, input.target, signal), input.options),
          schemas: await thaw.schemas(input.scope, input.target, signal),
          progress,
          hints: thaw.hints,
          range: rowRangeOf(thaw.config, input.scope, input.options),
          sharedFolder: thaw.isShared(input.scope),
          attempt: info.attempt,
          signal,
          connect: (applicationName) => thaw.connect(input.scope, applicationName, signal),
        }),
    );
  };
}
