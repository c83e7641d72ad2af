import type { DatabaseConfig, ThawConfig } from '../config/thaw-config.ts';
import type { DrillReport } from '../contract/drill.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import { type DrillRecord, listDrills } from '../postgres/drill-records.ts';

/** Drills that were done, the newest first, and which databases could not be asked. */
export interface RecordedDrills {
  readonly drills: readonly DrillRecord<DrillReport>[];
  readonly unanswered: readonly { readonly database: string; readonly error: unknown }[];
}

/**
 * The latest drills, the newest first: they are kept in the maintenance databases of services, and in the databases
 * of archives.
 *
 * @param subject null: all
 */
export async function listRecordedDrills(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  subject: string | null,
  limit: number,
): Promise<RecordedDrills> {
  const places = new Map<string, DatabaseConfig>();
  const add = (place: DatabaseConfig) => places.set(`${place.host}:${place.port}/${place.name}`, place);
  for (const { connection, maintenance } of config.services) add({ ...connection, name: maintenance });
  for (const database of config.databases) add(database);
  const session = { applicationName: 'thaw/drills' };
  const answers = await Promise.allSettled(
    Array.from(places.values(), (place) =>
      withDatabase(place, env, session, (client) => listDrills<DrillReport>(client, subject, limit)),
    ),
  );
  const names = [...places.keys()];
  const drills = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  return {
    drills: drills.toSorted((a, b) => b.startedAt.localeCompare(a.startedAt)).slice(0, limit),
    unanswered: answers.flatMap((answer, index) =>
      answer.status === 'rejected' ? [{ database: names[index] ?? '', error: answer.reason as unknown }] : [],
    ),
  };
}
