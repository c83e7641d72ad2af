import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { DrillSchedules, ScheduledDrills } from '../client/drill-schedules.ts';
import { parseInput } from '../client/restore-input.ts';
import { parseCron } from '../config/cron.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { ApiError } from './api-error.ts';
import type { Caller } from './caller.ts';
import { limitBody, readJson } from './json-body.ts';
import { bodyOf } from './record-routes.ts';
import { demandDrillRights, drillOf, drillOptions } from './sources/drills.ts';
import { namings } from './sources/plain-settings.ts';
import { visibleServices } from './visible-services.ts';

/** What schedules of drills take. */
export interface DrillScheduleDependencies {
  readonly config: ThawConfig;
  readonly schedules: Pick<DrillSchedules, 'subjects' | 'find' | 'keep' | 'remove'>;
}

const scheduleOptions = z.strictObject(
  {
    ...drillOptions.shape,
    cron: z
      .string('must be text')
      .superRefine((text, context) => {
        const parsed = parseCron(text);
        if (typeof parsed === 'string') context.addIssue({ code: 'custom', message: parsed });
      })
      .describe('Minute, hour, day of the month, month, day of the week; @daily and the like.'),
    time_zone: z
      .string('must be text')
      .refine(isTimeZone, 'must be a time zone such as Europe/Berlin')
      .default('UTC')
      .describe('The time zone that its hours are of.'),
  },
  'must be an object of settings',
);

const text = z.string();
const seconds = z.number().nullable();

const scheduleJson = z
  .object({
    subject: text.openapi({ description: 'The service, or database/schema.table of archives.' }),
    source: z.enum(['dump', 'archives']),
    cron: text.nullable().openapi({ description: 'Null of one that was changed in Temporal by hand.' }),
    time_zone: text,
    next_at: z.iso.datetime().nullable(),
    is_paused: z.boolean().openapi({ description: 'Whether somebody has paused it in Temporal.' }),
    objectives: z.object({ rto_seconds: seconds, rpo_seconds: seconds }),
    fallback: z.int().min(0).nullable().openapi({ description: 'Of dumps.' }),
    allow_errors: z.boolean().nullable().openapi({ description: 'Of dumps.' }),
    checks: z.int().min(0).openapi({ description: 'How many statements are asked after the load.' }),
    tables: z.array(text).nullable().openapi({ description: 'Of archives.' }),
  })
  .openapi('DrillSchedule');

const params = z.object({
  subject: text.openapi({
    param: { name: 'subject', in: 'path' },
    description: 'Percent-encoded: production_db%2Fpublic.audit_logs.',
  }),
});

const listRoute = createRoute({
  method: 'get',
  path: '/api/drills/schedules',
  summary: 'Drills that are done again and again, by subject',
  responses: { 200: answer('The schedules.', z.array(scheduleJson)), ...errorAnswers(401, 403, 503) },
});

const keepRoute = createRoute({
  method: 'put',
  path: '/api/drills/schedules',
  summary: 'Schedules drills of what the body names, or changes their schedule to it',
  middleware: [limitBody] as const,
  request: { body: bodyOf({ $ref: '#/components/schemas/DrillScheduleInput' }) },
  responses: {
    200: answer('The schedule.', scheduleJson),
    ...errorAnswers(400, 401, 403, 408, 413, 415, 429, 503),
  },
});

const removeRoute = createRoute({
  method: 'delete',
  path: '/api/drills/schedules/{subject}',
  summary: 'Has no more drills done of a subject; one that goes on is left alone',
  request: { params },
  responses: {
    200: answer('There are none any more.', z.object({ subject: text, message: text })),
    ...errorAnswers(401, 403, 404, 503),
  },
});

/** `/api/drills/schedules`: what `thaw drill --cron` makes, one for each subject. */
export function addDrillScheduleRoutes(
  app: OpenAPIHono<ApiEnv>,
  { config, schedules }: DrillScheduleDependencies,
): void {
  app.openAPIRegistry.register(
    'DrillScheduleInput',
    z.strictObject(scheduleOptions.shape).openapi({ example: { rto: '30m', cron: '30 4 * * 0' } }),
  );

  app.openapi(listRoute, async (context) => {
    const caller = context.get('caller');
    const named = visibleServices(config, caller).map(({ name }) => name);
    const listed = caller.access === 'root' ? await schedules.subjects() : [];
    const subjects = [...new Set([...named, ...listed])].sort();
    const found = await Promise.all(subjects.map((subject) => schedules.find(subject)));
    const seen = found.filter((each) => each !== null).filter((each) => isSeen(config, each, caller));
    return context.json(success(seen.map(toScheduleJson)), 200);
  });

  app.openapi(keepRoute, async (context) => {
    const caller = context.get('caller');
    const body = await readJson(context);
    const { cron, time_zone } = parseInput(scheduleOptions, body);
    const { cron: _, time_zone: __, ...options } = { ...(body as Readonly<Record<string, unknown>>) };
    const request = drillOf(options, config, { runId: '', caller }, namings.once);
    await demandPresent(request.subject, caller);
    await schedules.keep(request, cron, time_zone);
    const kept = await schedules.find(request.subject);
    if (kept === null) throw notScheduled(request.subject);
    return context.json(success(toScheduleJson(kept)), 200);
  });

  app.openapi(removeRoute, async (context) => {
    const caller = context.get('caller');
    const { subject } = context.req.valid('param');
    const present = await demandPresent(subject, caller);
    if (!present || !(await schedules.remove(subject))) throw notScheduled(subject);
    return context.json(success({ subject, message: 'No drills are scheduled any more' }), 200);
  });

  /** Who may not ask for what is scheduled, may not change it either. Tells whether the caller sees any. */
  async function demandPresent(subject: string, caller: Caller): Promise<boolean> {
    const present = await schedules.find(subject);
    if (present === null || !isSeen(config, present, caller)) return false;
    demandDrillRights(caller, present.request);
    return true;
  }
}

/** Services are for the tenants that they name, archives for root. */
function isSeen(config: ThawConfig, { request }: ScheduledDrills, caller: Caller): boolean {
  if (caller.access === 'root') return true;
  const { kind } = request.source;
  return kind === 'dump' && visibleServices(config, caller).some(({ name }) => name === request.subject);
}

function toScheduleJson(scheduled: ScheduledDrills): z.output<typeof scheduleJson> {
  const { cron, timeZone, next, isPaused, request } = scheduled;
  const { subject, source, objectives } = request;
  const dump = source.kind === 'dump' ? source.request : null;
  const tables = source.kind === 'archives' ? (source.request.tables ?? []) : null;
  return {
    ...{ subject, source: source.kind, cron, time_zone: timeZone, is_paused: isPaused },
    next_at: next?.toISOString() ?? null,
    objectives: { rto_seconds: objectives.rtoSeconds, rpo_seconds: objectives.rpoSeconds },
    fallback: dump?.fallback ?? null,
    allow_errors: dump?.allowErrors ?? null,
    checks: dump?.checks.length ?? 0,
    tables: tables?.map(({ schema, table }) => `${schema}.${table}`) ?? null,
  };
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function notScheduled(subject: string): ApiError {
  return new ApiError('RECORD_NOT_FOUND', `No drills of ${subject} are scheduled.`, {
    hint: 'GET /api/drills/schedules lists those that are.',
  });
}
