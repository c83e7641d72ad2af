import type { Authenticator } from '../../src/api/auth.ts';
import type { Caller } from '../../src/api/caller.ts';

/** Takes `Bearer {tenant}:{access}` for what it says. */
export const sayingAuthenticator: Authenticator = {
  async authenticate(authorization = '') {
    const [tenant = '', access = ''] = authorization.replace('Bearer ', '').split(':');
    return { subject: `${tenant}-user`, tenant, access: access as Caller['access'], namespace: 'public' };
  },
};

/** Somebody who may do everything in tenant `a`. */
export const someone = 'Bearer a:full';
