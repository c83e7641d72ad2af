import type { SystemActivities } from '../src/contract/system-activities.ts';
import { runHook as run } from '../src/dump/system/hook.ts';
import type { ThawContext } from '../src/load/thaw-context.ts';
import { withSystem } from './system-tools.ts';

/** Runs a command, calls an HTTP hook, waits for a URL to answer, or reads a log. */
export function runHook(thaw: ThawContext): SystemActivities['runHook'] {
  return ({ request, kind, index }) =>
    withSystem(thaw, request, ({ system, file }, signal) =>
      run(kind, index, { system, file, env: thaw.env, signal }),
    );
}
