import { z } from '@hono/zod-openapi';
import { errorCodes } from '../contract/error-code.ts';
import type { Objective, SystemDatabase, SystemStep } from '../contract/system-activities.ts';
import type { RunSystem } from './run.ts';

const seconds = z.number().nullable();
const names = z.array(z.string());
const error = z.object({ code: z.enum(errorCodes), message: z.string(), hint: z.string() });
const objective = z.object({ objective: seconds, measured: seconds, met: z.boolean().nullable() });

const step = z.object({
  step: z.string().openapi({ example: 'restore:argus' }),
  state: z.enum(['running', 'waiting', 'done', 'failed', 'skipped', 'abandoned']),
  seconds: z.number(),
  tries: z.int().min(0),
  error: error.nullable(),
});

const database = z.object({
  service: z.string(),
  database: z.string(),
  restore_id: z.string().nullable(),
  live: z.enum(['old', 'new', 'unknown']),
  key: z.string().nullable().openapi({ description: 'The dump.' }),
  verified: z.enum(['verified', 'failed', 'inconclusive']).nullable(),
  rows: z.int().min(0).nullable(),
  rto: objective,
  rpo: objective,
  old: z.object({ name: z.string(), drop_at: z.iso.datetime() }).nullable(),
  left_behind: names,
  error: error.nullable(),
});

/** What `GET /api/runs/{runId}` tells of a restore of a system. */
export const runSystemJson = z
  .object({
    name: z.string(),
    steps: z.array(step),
    waiting: z
      .array(z.object({ step: z.string(), error, until: z.iso.datetime() }))
      .openapi({ description: 'Steps that failed and wait for a decision.' }),
    databases: z.array(database).openapi({ description: 'Once it has ended.' }),
    downtime_seconds: seconds,
    notices: names,
  })
  .openapi('RunSystem');

/** Writes it; what a step does is the worker's to know, and is left out. */
export function toRunSystemJson(system: RunSystem): z.output<typeof runSystemJson> {
  const { name, steps, waiting, databases, downtimeSeconds, notices } = system;
  return {
    name,
    steps: steps.map(stepJson),
    waiting: waiting.map(({ step: what, error: why, until }) => ({ step: what, error: why, until })),
    databases: databases.map(databaseJson),
    downtime_seconds: downtimeSeconds,
    notices: [...notices],
  };
}

function stepJson({ step: what, state, seconds: took, tries, error: why }: SystemStep) {
  return { step: what, state, seconds: took, tries, error: why };
}

function databaseJson(of: SystemDatabase): z.output<typeof database> {
  const { service, live, verified, rows, rto, rpo, old, error: why } = of;
  return {
    ...{ service, database: of.database, live, verified, rows, error: why },
    restore_id: of.restoreId,
    key: of.dump?.key ?? null,
    rto: objectiveJson(rto),
    rpo: objectiveJson(rpo),
    old: old === null ? null : { name: old.name, drop_at: old.dropAt },
    left_behind: [...of.leftBehind],
  };
}

function objectiveJson({ objective: wanted, measured, met }: Objective) {
  return { objective: wanted, measured, met };
}
