import type { Access } from '../contract/access.ts';

/** Who asks. Saved restores, runs, logs and idempotency keys of two tenants never meet. */
export interface Caller {
  readonly subject: string;
  readonly tenant: string;
  readonly access: Access;
  /** The schema that bundles go into. */
  readonly namespace: string;
}

/** The tenant whose records a caller sees; null: those of all. */
export function visibleTenant({ access, tenant }: Caller): string | null {
  return access === 'root' ? null : tenant;
}
