import { configuredTables, findDatabase } from '../config/database-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { DrillObjectives, DrillRequest } from '../contract/drill.ts';
import { type DumpInput, toDumpRequest } from './dump-input.ts';
import { parseRestoreInput } from './restore-input.ts';
import { toRestoreRequest } from './restore-request.ts';

/** What is rehearsed, as somebody asks for it. */
export type DrillInput =
  | { readonly kind: 'dump'; readonly dump: DumpInput }
  | {
      readonly kind: 'archives';
      readonly database: string;
      /** Null: all that are configured. */
      readonly tables: readonly string[] | null;
    };

/**
 * The request that asks for a drill.
 *
 * @throws ThawError `InputInvalid`: no such service, database or table, or what a restore refuses
 */
export function toDrillRequest(
  input: DrillInput,
  objectives: DrillObjectives,
  config: ThawConfig,
  drillId: string,
  heartbeatSeconds: number,
): DrillRequest {
  if (input.kind === 'dump') {
    const request = toDumpRequest(input.dump, config, '', heartbeatSeconds);
    return { restoreId: drillId, subject: request.service, source: { kind: 'dump', request }, objectives };
  }
  const { database, tables } = input;
  const asked = parseRestoreInput({
    database,
    restore_all: true,
    ...(tables === null ? {} : { tables }),
  });
  const request = toRestoreRequest(asked, config, '', { heartbeatSeconds });
  const whole = request.tables ?? configuredTables(findDatabase(config, request.database));
  const subject =
    tables === null
      ? request.database
      : whole.map(({ schema, table }) => `${request.database}/${schema}.${table}`).join(',');
  return {
    restoreId: drillId,
    subject,
    source: { kind: 'archives', request: { ...request, tables: whole } },
    objectives,
  };
}
