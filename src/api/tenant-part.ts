import { fieldError } from '../client/restore-input.ts';
import type { SnapshotTableName, TenantPart } from '../contract/snapshot.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { demandAccess } from './access.ts';
import type { Caller } from './caller.ts';

/**
 * The column of tables of many tenants that tells whose a row is: `THAW_TENANT_COLUMN` (tenant_id).
 *
 * @throws ThawError `ConfigInvalid` for what is no name of a column
 */
export function configuredTenantColumn(env: NodeJS.ProcessEnv): string {
  const column = env.THAW_TENANT_COLUMN || 'tenant_id';
  if (Buffer.byteLength(column) <= 63 && !column.includes('\0')) return column;
  throw new ThawError('ConfigInvalid', 'THAW_TENANT_COLUMN: must be the name of a column', {
    object: 'THAW_TENANT_COLUMN',
    hint: 'Leave it out for tenant_id.',
  });
}

/**
 * The rows that a caller may have a snapshot of, and restore: those of its tenant, whatever it asks for; for root, what
 * it asks for. Null: all rows.
 *
 * @param asked as the request says
 * @throws ApiError `FORBIDDEN` where others are asked for
 */
export function tenantPartOf(
  caller: Caller,
  column: string,
  asked: TenantPart | null,
  field: string,
): TenantPart | null {
  if (caller.access === 'root') return asked;
  const own = ofTenant(caller, column);
  if (asked !== null && !isSamePart(asked, own)) demandAccess(caller, 'root', `Another ${field}`);
  return own;
}

/** Whether a caller may see what a snapshot holds. */
export function isVisiblePart(caller: Caller, column: string, part: TenantPart | null): boolean {
  if (caller.access === 'root') return true;
  return part !== null && isSamePart(part, ofTenant(caller, column));
}

/** The rows of the tenant that a token is of. */
export function ofTenant({ tenant }: Caller, column: string): TenantPart {
  return { column, value: tenant };
}

function isSamePart(a: TenantPart, b: TenantPart): boolean {
  return a.column === b.column && a.value === b.value;
}

/** Who is not root has tables of its own schema only. @throws ApiError `FORBIDDEN` */
export function demandOwnSchema(caller: Caller, schemas: readonly string[]): void {
  const foreign = schemas.find((schema) => schema !== caller.namespace);
  if (foreign !== undefined) demandAccess(caller, 'root', `The schema ${foreign}`);
}

/**
 * A table as a request names it: `table` of the caller's schema, or `schema.table`.
 *
 * @throws ThawError `InputInvalid` for a name without letters
 */
export function tableOfText(text: string, namespace: string, field: string): SnapshotTableName {
  const dot = text.indexOf('.');
  const name =
    dot === -1
      ? { schema: namespace, table: text }
      : { schema: text.slice(0, dot), table: text.slice(dot + 1) };
  if (name.schema !== '' && name.table !== '') return name;
  throw fieldError(field, 'must be table or schema.table', text);
}
