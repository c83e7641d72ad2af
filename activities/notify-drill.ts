import { Context } from '@temporalio/activity';
import type { DrillActivities } from '../src/contract/drill.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { sendWebhook, webhookOf } from '../src/notify/webhook.ts';

/** Tells the webhook of this worker's environment how a drill went. */
export function notifyDrill(thaw: ThawContext): DrillActivities['notifyDrill'] {
  return async ({ event, report }) => {
    const webhook = webhookOf(thaw.env);
    if (webhook === null) return false;
    const { cancellationSignal } = Context.current();
    await sendWebhook(
      webhook,
      { event, id: `${report.drillId}/${event}`, body: { ...report } },
      cancellationSignal,
    );
    return true;
  };
}
