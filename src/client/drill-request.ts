import { configuredTables, findDatabase } from '../config/database-config.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { DrillObjectives, DrillRequest } from '../contract/drill.ts';
import { wholeDump } from '../contract/dump-request.ts';
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

/** The newest dump of a service, as a drill restores it: where it goes is the drill's to say. */
export function rehearsedDump(
  asked: Pick<DumpInput, 'service' | 'restoreOptions' | 'fallback' | 'allowErrors' | 'checks'> & {
    readonly before: string | null;
  },
): DumpInput {
  const { before, ...rest } = asked;
  return {
    ...rest,
    choice: { kind: 'latest', before },
    ...{ mode: null, into: null, create: true, owner: null, keepOldSeconds: 0 },
    ...{ part: wholeDump, jobs: null, checkUrls: [] },
  };
}

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
