import { fingerprint } from '../config/fingerprint.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { CreateSnapshotRequest, TenantPart } from '../contract/snapshot.ts';
import { ThawError } from '../contract/thaw-error.ts';

/** What is asked of a snapshot to be taken. */
export type SnapshotInput = Pick<
  CreateSnapshotRequest,
  'database' | 'type' | 'by' | 'tables' | 'schemas' | 'tenant' | 'keep' | 'readers' | 'partBytes'
> & {
  /** For people; null: the id. */
  readonly name: string | null;
};

/**
 * The request to take a snapshot.
 *
 * @throws ThawError `InputInvalid` where no table and no schema is named
 */
export function toSnapshotRequest(
  config: ThawConfig,
  { name, ...input }: SnapshotInput,
  id: string,
  heartbeatSeconds: number,
): CreateSnapshotRequest {
  if (input.tables.length === 0 && input.schemas.length === 0) {
    throw new ThawError('InputInvalid', 'Nothing says which tables the snapshot is of.', {
      object: '--table',
      hint: 'Name tables with --table, or all of a schema with --schema.',
    });
  }
  return {
    ...input,
    id,
    name: name ?? id,
    fingerprint: fingerprint(config, input.database),
    heartbeatSeconds,
  };
}

/**
 * Reads `column=value`: everything behind the first `=` is the value.
 *
 * @throws ThawError `InputInvalid`
 */
export function parseTenant(text: string): TenantPart {
  const at = text.indexOf('=');
  if (at > 0 && !text.includes('\0')) return { column: text.slice(0, at), value: text.slice(at + 1) };
  throw new ThawError('InputInvalid', '--where: it must be column=value', {
    object: '--where',
    hint: 'Give a column and the one value that it has in the rows to take, such as tenant_id=42.',
  });
}
