import { serviceFingerprint } from '../../config/fingerprint.ts';
import { findService } from '../../config/services.ts';
import type { SystemConfig } from '../../config/system.ts';
import type { ServiceConfig, ThawConfig } from '../../config/thaw-config.ts';
import type { DumpChoice, DumpRequest } from '../../contract/dump-request.ts';
import type { PlannedDatabase } from '../../contract/system-activities.ts';
import { dumpAge } from '../../restore/system-progress.ts';
import { chooseDump } from '../choose/choose-dump.ts';
import { openDumpStore } from '../choose/dump-store.ts';

/** What databases are planned by. */
export interface SystemSetting {
  readonly system: SystemConfig;
  readonly config: ThawConfig;
  readonly env: NodeJS.ProcessEnv;
  /** The newest dumps not later than this, ISO 8601; null: as the system says. */
  readonly before: string | null;
  readonly restoreId: string;
  readonly heartbeatSeconds: number;
  readonly signal?: AbortSignal | undefined;
}

/** The dumps of a system, and what should be known of them before anything starts. */
export interface PlannedDumps {
  readonly databases: readonly PlannedDatabase[];
  /** Dumps that are older than their objective allows, and the like. */
  readonly notices: readonly string[];
}

/**
 * Finds the dump of each database of a system.
 *
 * @throws ThawError `InputInvalid` for a service that is not configured, and as {@link chooseDump}
 */
export async function planDumps(setting: SystemSetting): Promise<PlannedDumps> {
  const planned = await Promise.all(setting.system.databases.map((each) => planOne(each, setting)));
  return {
    databases: planned.map(({ database }) => database),
    notices: planned.flatMap(({ notices }) => notices),
  };
}

type DatabaseSetting = SystemConfig['databases'][number];

async function planOne(
  setting: DatabaseSetting,
  { system, config, env, before, restoreId, heartbeatSeconds, signal }: SystemSetting,
): Promise<{ readonly database: PlannedDatabase; readonly notices: readonly string[] }> {
  const service = findService(config, setting.service);
  const asked = choiceOf(setting, before);
  const store = await openDumpStore(service, asked, env);
  try {
    const { candidates, notices } = await chooseDump(store, service, asked, 0, signal);
    const [dump] = candidates;
    if (dump === undefined) throw new TypeError('no dump was chosen');
    const { after, rto = null, rpo = null } = setting;
    // What was planned is what is restored, whatever dump comes meanwhile.
    const choice = { kind: 'key', key: dump.key } as const;
    const request = requestOf(service, setting, choice, { restoreId, heartbeatSeconds, system });
    const age = dumpAge({ dump }, Date.now());
    const old = rpo !== null && age > rpo ? [ageNotice(service.name, dump.key, age, rpo)] : [];
    return {
      database: { request, after, dump, rto, rpo },
      notices: [...notices.map((notice) => `${service.name}: ${notice}`), ...old],
    };
  } finally {
    store.close();
  }
}

function choiceOf({ dump, before }: DatabaseSetting, asked: string | null): DumpChoice {
  if (dump !== 'latest') return { kind: 'key', key: dump };
  return { kind: 'latest', before: asked ?? before ?? null };
}

/** All of a dump, in the place of the live database, which is made where it is not there. */
function requestOf(
  service: ServiceConfig,
  { checks, check_urls }: DatabaseSetting,
  choice: DumpChoice,
  rest: { readonly restoreId: string; readonly heartbeatSeconds: number; readonly system: SystemConfig },
): DumpRequest {
  const { host, port, name } = service.connection;
  const { restoreId, heartbeatSeconds, system } = rest;
  return {
    ...{ restoreId, heartbeatSeconds, choice, checks, checkUrls: check_urls },
    ...{ service: service.name, fingerprint: serviceFingerprint(service) },
    ...{ server: `${host}:${port}`, database: name, mode: 'swap', into: null, create: true, owner: null },
    part: { tables: [], schemas: [], sections: [], dataOnly: false, schemaOnly: false, clean: false },
    ...{ options: [], fallback: 0, jobs: null, allowErrors: false },
    keepOldSeconds: system.keep_old,
  };
}

function ageNotice(service: string, key: string, age: number, rpo: number): string {
  return `${service}: ${key} is ${hours(age)} old, more than its recovery point objective of ${hours(rpo)} allows.`;
}

function hours(seconds: number): string {
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 360) / 10} h`;
}
