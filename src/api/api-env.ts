import type { RequestIdVariables } from 'hono/request-id';
import type { Caller } from './caller.ts';

/** What middleware leaves for routes. */
export interface ApiEnv {
  Variables: RequestIdVariables & {
    /** Who asks. */
    caller: Caller;
  };
}
