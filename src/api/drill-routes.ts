import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { RecordedDrills } from '../client/recorded-drills.ts';
import { parseInput } from '../client/restore-input.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { drillJson, toDrillJson } from './drill-json.ts';
import { keyHeader } from './idempotency.ts';
import { limitBody, readOptionalJson } from './json-body.ts';
import { linkNextPage, pageParameters, readPage } from './list-query.ts';
import { accepted, acceptedOf, ownerOf } from './restore-routes.ts';
import type { RunStarter } from './run-starter.ts';
import { drillOptions } from './sources/drills.ts';
import type { Sources } from './sources/sources.ts';
import { visibleConfig } from './visible-services.ts';

/** What drills take besides what runs do. */
export interface DrillRouteDependencies {
  readonly config: ThawConfig;
  readonly starter: RunStarter;
  readonly sources: Sources;
  /** The latest drills of a subject; null: of all. */
  readonly listDrills: (config: ThawConfig, subject: string | null, limit: number) => Promise<RecordedDrills>;
}

const listRoute = createRoute({
  method: 'get',
  path: '/api/drills',
  summary: 'Drills that were done, the newest first',
  request: {
    query: z.strictObject({
      subject: z.string().optional().openapi({ description: 'Service, database, or database/schema.table.' }),
      ...pageParameters,
    }),
  },
  responses: {
    200: answer('A page; a Link header tells where the next one is.', z.array(drillJson)),
    ...errorAnswers(400, 401, 403, 404, 503),
  },
});

const startRoute = createRoute({
  method: 'post',
  path: '/api/drills',
  summary: 'Rehearses a restore: into a scratch place, verified, measured, dropped',
  middleware: [limitBody] as const,
  request: {
    headers: keyHeader,
    body: { content: { 'application/json': { schema: { $ref: '#/components/schemas/DrillInput' } } } },
  },
  responses: {
    202: answer('The drill is accepted.', accepted),
    ...errorAnswers(400, 401, 403, 404, 408, 409, 413, 415, 429, 503),
  },
});

/** `/api/drills`: rehearsals, which are runs as restores are. */
export function addDrillRoutes(
  app: OpenAPIHono<ApiEnv>,
  { config, starter, sources, listDrills }: DrillRouteDependencies,
): void {
  app.openAPIRegistry.register(
    'DrillInput',
    z.strictObject(drillOptions.shape).openapi({ example: { rto: '30m' } }),
  );

  app.openapi(startRoute, async (context) => {
    const owner = ownerOf(context);
    const options = await readOptionalJson(context);
    // What a saved restore has besides is not known here.
    parseInput(drillOptions, options);
    const settings = sources.of('drill').settingsOnce({ ...(options as object) }, owner.caller);
    return context.json(success(acceptedOf(context, await starter.startOnce(settings, owner))), 202);
  });

  app.openapi(listRoute, async (context) => {
    const query = context.req.valid('query');
    const { limit, offset } = readPage(query);
    const caller = context.get('caller');
    const visible = visibleConfig(config, caller);
    // Of archives only root may know.
    const seen = caller.access === 'root' ? null : visible.services.map(({ name }) => name);
    const named = query.subject === undefined ? null : [query.subject];
    const subjects = seen === null ? named : seen.filter((name) => named?.includes(name) ?? true);
    const most = offset + limit + 1;
    const places = seen === null ? visible : { ...visible, databases: [] };
    const found = await Promise.all((subjects ?? [null]).map((subject) => listDrills(places, subject, most)));
    const [unanswered] = found.flatMap((answers) => answers.unanswered);
    const known = found.flatMap((answers) => answers.drills);
    // What the others have is shown all the same.
    if (known.length === 0 && unanswered !== undefined) throw unanswered.error;
    const drills = known.toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
    linkNextPage(context, { limit, offset }, { more: drills.length >= most });
    return context.json(
      success(drills.slice(offset, offset + limit).map(({ report }) => toDrillJson(report))),
      200,
    );
  });
}
