import { z } from 'zod';
import { accessLevels } from '../contract/access.ts';

/** Schemas of PostgreSQL and of Thaw itself: no token is for one of them. */
const reservedNamespace = /^(pg_.*|information_schema|thaw|thaw_api)$/i;

/** The claim `ns`: the schema of a tenant. */
export const namespaceClaim = z
  .string()
  .regex(/^[a-zA-Z0-9_]{1,63}$/, 'must be 1 to 63 letters, digits and _')
  .refine((name) => !reservedNamespace.test(name), 'must be no schema of PostgreSQL or Thaw');

/** The claim `tenant`. */
export const tenantClaim = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters without spaces');

/** The claims that Thaw reads; whatever else a token says is passed over. */
export const tokenClaims = z.object({
  sub: z.string().min(1).max(255).optional(),
  user_id: z.string().min(1).max(255).optional(),
  tenant: tenantClaim,
  access: z.enum(['deny', ...accessLevels]),
  ns: namespaceClaim,
});
export type TokenClaims = z.output<typeof tokenClaims>;
