import type { SystemActivities } from '../src/contract/system-activities.ts';
import { hookNames } from '../src/dump/system/hook.ts';
import { planDumps } from '../src/dump/system/plan-system.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withSystem } from './system-tools.ts';

/** Reads the worker's own `system.yaml`, and finds the dumps. */
export function planSystem(thaw: ThawContext, searchAttributes: boolean): SystemActivities['planSystem'] {
  return (request) =>
    withSystem(thaw, request, async ({ system }, signal) => {
      const { config, env } = thaw;
      const { restoreId, before, heartbeatSeconds = 20 } = request;
      const setting = { system, config, env, before, restoreId, heartbeatSeconds, signal };
      return {
        ...(await planDumps(setting)),
        hooks: {
          stop: hookNames(system, 'stop'),
          start: hookNames(system, 'start'),
          health: hookNames(system, 'health'),
          logs: hookNames(system, 'logs'),
        },
        webhooks: system.notify.length,
        contacts: system.contacts,
        waitSeconds: system.wait_for_operator ?? 0,
        searchAttributes,
      };
    });
}
