import type pg from 'pg';
import type { DatabaseConfig, ThawConfig } from '../config/thaw-config.ts';
import type { DrillReport } from '../contract/drill.ts';
import { withDatabase } from '../postgres/connect-database.ts';
import { type DrillRecord, listDrills, readDrill } from '../postgres/drill-records.ts';

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
  const found = await ask(config, env, (client) => listDrills<DrillReport>(client, subject, limit));
  const drills = found.drills.toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
  return { ...found, drills: drills.slice(0, limit) };
}

/** Looks for a drill in all places that keep some: they know it after the retention of Temporal. */
export function findRecordedDrill(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  drillId: string,
): Promise<RecordedDrills> {
  return ask(config, env, (client) => readDrill<DrillReport>(client, drillId));
}

async function ask(
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
  question: (client: pg.Client) => Promise<DrillRecord<DrillReport>[]>,
): Promise<RecordedDrills> {
  const places = new Map<string, DatabaseConfig>();
  const add = (place: DatabaseConfig) => places.set(`${place.host}:${place.port}/${place.name}`, place);
  for (const { connection, maintenance } of config.services) add({ ...connection, name: maintenance });
  for (const database of config.databases) add(database);
  const session = { applicationName: 'thaw/drills' };
  const answers = await Promise.allSettled(
    Array.from(places.values(), (place) => withDatabase(place, env, session, question)),
  );
  const names = [...places.keys()];
  return {
    drills: answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : [])),
    unanswered: answers.flatMap((answer, index) =>
      answer.status === 'rejected' ? [{ database: names[index] ?? '', error: answer.reason as unknown }] : [],
    ),
  };
}
