import type { RequestIdVariables } from 'hono/request-id';
import type { Principal } from './auth.ts';

/** What middleware leaves for routes. */
export interface ApiEnv {
  Variables: RequestIdVariables & {
    /** Who asks. */
    principal: Principal;
  };
}
