import { Context } from '@temporalio/activity';
import { findSystem, loadSystems } from '../src/config/load-system.ts';
import type { SystemActivities } from '../src/contract/system-activities.ts';
import { ThawError } from '../src/contract/thaw-error.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { sendWebhook } from '../src/notify/webhook.ts';

/** Tells one webhook of an event. */
export function notifySystem(thaw: ThawContext): SystemActivities['notifySystem'] {
  return async ({ request, webhook, event, body }) => {
    const { config, env } = thaw;
    const { system } = findSystem(await loadSystems(config, env), request.system);
    const hook = system.notify[webhook];
    const secret = hook === undefined ? undefined : env[hook.secret_env];
    if (hook === undefined || !secret) {
      throw new ThawError('ConfigInvalid', `${hook?.secret_env ?? `webhook ${webhook + 1}`} is not set`, {
        object: 'notify',
        hint: 'Set the variable that secret_env names where the worker runs.',
      });
    }
    const message = { event: `system.${event}`, id: `${request.restoreId}/${event}`, body };
    await sendWebhook({ url: new URL(hook.url), secret }, message, Context.current().cancellationSignal);
  };
}
