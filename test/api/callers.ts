import type { Authenticator } from '../../src/api/auth.ts';
import type { Caller } from '../../src/api/caller.ts';

/** Takes `Bearer {tenant}:{access}:{namespace}` for what it says; without the last it is `public`. */
export const sayingAuthenticator: Authenticator = {
  async authenticate(authorization = '') {
    const [tenant = '', access = '', namespace = 'public'] = authorization.replace('Bearer ', '').split(':');
    return { subject: `${tenant}-user`, tenant, access: access as Caller['access'], namespace };
  },
};

/** Somebody who may do everything in tenant `a`. */
export const someone = 'Bearer a:full';
