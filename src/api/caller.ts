/** What a caller may do, each level what those before it may: look, start and change, delete and replace, see all tenants. */
export const accessLevels = ['read', 'edit', 'full', 'root'] as const;
export type Access = (typeof accessLevels)[number];

/** Who asks. Saved restores, runs, logs and idempotency keys of two tenants never meet. */
export interface Caller {
  readonly subject: string;
  readonly tenant: string;
  readonly access: Access;
  /** The schema that bundles go into. */
  readonly namespace: string;
}

/** The tenant of those who hold the one token, or ask from this machine where there is none. */
export const defaultTenant = 'default';

/** The one who may do everything, as long as no more than a single token tells who asks. */
export function soleCaller(subject: string): Caller {
  return { subject, tenant: defaultTenant, access: 'root', namespace: 'public' };
}

/** The tenant whose records a caller sees; null: those of all. */
export function visibleTenant({ access, tenant }: Caller): string | null {
  return access === 'root' ? null : tenant;
}
