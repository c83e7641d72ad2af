import { Context } from '@temporalio/activity';
import type { Activities } from '../src/contract/activities.ts';
import { writeAuditTrail } from '../src/load/audit-trail.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';

/** Writes an event into the audit trail of the archiver. */
export function writeAuditEvent(thaw: ThawContext): Activities['writeAuditEvent'] {
  return async ({ scope, event }) => {
    const { cancellationSignal } = Context.current();
    thaw.checkFingerprint(scope);
    const { auditTrail, store } = thaw.config;
    await writeAuditTrail(
      {
        storageType: auditTrail,
        store: thaw.store,
        prefix: store.prefix,
        withClient: (action) =>
          thaw.withConnection(scope, `thaw/${scope.restoreId}/audit`, cancellationSignal, action),
      },
      event,
    );
  };
}
