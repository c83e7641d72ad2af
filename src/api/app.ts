import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { requestId } from 'hono/request-id';
import type { Logger } from 'pino';
import type { ThawConfig } from '../config/thaw-config.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { ControlDatabase } from '../control/control-database.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { checkEveryRouteIsDeclared, requireAccess } from './access.ts';
import type { ApiEnv } from './api-env.ts';
import { ApiError } from './api-error.ts';
import type { Authenticator } from './auth.ts';
import type { BundleSettings } from './bundle-settings.ts';
import { addDocsPage } from './docs-page.ts';
import { addDrillRoutes, type DrillRouteDependencies } from './drill-routes.ts';
import { addDrillScheduleRoutes, type DrillScheduleDependencies } from './drill-schedule-routes.ts';
import { envelopeOf, errorHandler } from './error-handler.ts';
import { addEventRoutes } from './event-routes.ts';
import { addExtractRoutes } from './extract-routes.ts';
import { addExtractRunRoutes } from './extract-run-routes.ts';
import type { ExtractRuns } from './extract-runs.ts';
import { addHealthRoutes, type Readiness } from './health-routes.ts';
import { addImportRoute } from './import-route.ts';
import type { RateLimit } from './rate-limit.ts';
import type { Reconciler } from './reconciler.ts';
import { logRequests } from './request-log.ts';
import { addRestoreRoutes } from './restore-routes.ts';
import { addRunDataRoutes } from './run-data-routes.ts';
import { addRunRoutes } from './run-routes.ts';
import { RunStarter } from './run-starter.ts';
import { type Restores, Runs, type RunsDependencies } from './runs.ts';
import { addSavedRestoreRoutes } from './saved-restore-routes.ts';
import { addServiceRoutes, type ServiceTools } from './service-routes.ts';
import { addSnapshotHistoryRoutes, type SnapshotHistoryDependencies } from './snapshot-history-routes.ts';
import { addSnapshotLookRoutes, type SnapshotLookDependencies } from './snapshot-look-routes.ts';
import { addSnapshotRoutes } from './snapshot-routes.ts';
import type { Snapshots } from './snapshots.ts';
import type { Sources } from './sources/sources.ts';
import { addSystemRoutes, type SystemRouteDependencies } from './system-routes.ts';
import { topicNames, topicOf } from './topics.ts';
import { addUndoRoute } from './undo-route.ts';
import { addUploadRoutes } from './upload-routes.ts';
import { Uploads } from './uploads.ts';

/** What the API works with. */
export interface AppDependencies {
  readonly config: ThawConfig;
  /** Stays the caller's. */
  readonly control: ControlDatabase;
  readonly restores: Restores;
  readonly sources: Sources;
  readonly reconciler: Reconciler;
  readonly readiness: () => Promise<Readiness>;
  readonly authenticator: Authenticator;
  readonly rateLimit: Pick<RateLimit, 'take'>;
  readonly logger: Logger;
  /** Where bundles lie; stays the caller's. */
  readonly store: ObjectStore;
  readonly bundles: BundleSettings;
  readonly extracts: ExtractRuns;
  readonly services: ServiceTools;
  readonly snapshots: Snapshots;
  readonly snapshotLooks: Omit<SnapshotLookDependencies, 'settings'>;
  readonly snapshotHistory: Omit<SnapshotHistoryDependencies, 'config'>;
  readonly listDrills: DrillRouteDependencies['listDrills'];
  readonly drillSchedules: DrillScheduleDependencies['schedules'];
  readonly loadSystems: SystemRouteDependencies['loadSystems'];
  readonly decide: RunsDependencies['decide'];
}

/** Makes the API; nothing listens yet. */
export function createApp(dependencies: AppDependencies): OpenAPIHono<ApiEnv> {
  const {
    authenticator,
    bundles,
    config,
    control,
    extracts,
    decide,
    drillSchedules,
    listDrills,
    loadSystems,
    logger,
    rateLimit,
    readiness,
    reconciler,
    restores,
    services,
    snapshotHistory,
    snapshotLooks,
    snapshots,
    sources,
    store,
  } = dependencies;
  const app = new OpenAPIHono<ApiEnv>({ defaultHook: refuseParameters });
  app.onError(errorHandler(logger));
  app.notFound((context) => context.json(envelopeOf(nothingAt(context.req.path)), 404));

  app.use(requestId());
  app.use(logRequests(logger));
  app.use(async (context, next) => {
    await next();
    // Answers change with every archive, and are for whom they were made.
    context.header('Cache-Control', 'no-store');
    context.header('X-Content-Type-Options', 'nosniff');
  });
  app.use(requireAccess(authenticator, rateLimit));
  app.use(methodNotAllowed({ app, onMethodNotAllowed: refuseMethod }));

  addHealthRoutes(app, readiness);
  const starter = new RunStarter({ control, sources, reconciler, logger });
  const runs = new Runs({ control, restores, reconciler, decide });
  addRestoreRoutes(app, { starter, runs, sources });
  addRunRoutes(app, runs);
  addUndoRoute(app, { starter, runs });
  addEventRoutes(app, { control, runs }, logger);
  addRunDataRoutes(app, control, runs);
  addSavedRestoreRoutes(app, control, sources);
  addExtractRoutes(app, control, bundles);
  addExtractRunRoutes(app, { control, store, runs: extracts });
  const uploads = new Uploads({ config, control, store, settings: bundles });
  addImportRoute(app, { starter, sources, uploads, settings: bundles });
  addUploadRoutes(app, uploads, bundles);
  addServiceRoutes(app, config, services);
  addDrillRoutes(app, { config, starter, sources, listDrills });
  addDrillScheduleRoutes(app, { config, schedules: drillSchedules });
  addSnapshotRoutes(app, snapshots);
  addSnapshotLookRoutes(app, { ...snapshotLooks, settings: bundles });
  addSnapshotHistoryRoutes(app, { config, ...snapshotHistory });
  addSystemRoutes(app, { starter, sources, runs, loadSystems });
  addDescription(app);
  addDocsPage(app);
  checkEveryRouteIsDeclared(app.routes);
  return app;
}

/** `/` and `/openapi.json`. */
function addDescription(app: OpenAPIHono<ApiEnv>): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
  });
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type === 'route') definition.route.tags = [topicOf(definition.route.path)];
  }
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: {
      title: 'Thaw',
      version: '0.1.0',
      description: 'Brings archived data back into PostgreSQL, durably.',
    },
    security: [{ bearer: [] }],
    tags: topicNames.map((name) => ({ name })),
  });
  app.get('/', (context) => context.text(welcome));
}

/** Parameters that are not as described, such as one that is given twice. */
function refuseParameters(
  result: { readonly success: true } | { readonly success: false; readonly error: z.core.$ZodError },
): void {
  if (result.success) return;
  const lines = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new ThawError('InputInvalid', lines.join('\n'), { object: lines[0]?.split(':')[0] });
}

function nothingAt(path: string): ApiError {
  return new ApiError('NOT_FOUND', `There is nothing at ${path}.`, {
    hint: 'GET /openapi.json lists what there is.',
  });
}

function refuseMethod(context: Context<ApiEnv>, allowed: string[]): Response {
  const { method, path } = context.req;
  context.header('Allow', allowed.join(', '));
  return context.json(envelopeOf(new ApiError('METHOD_NOT_ALLOWED', `${path} takes no ${method}.`)), 405);
}

const welcome = `Thaw brings archived data back into PostgreSQL.

POST /api/restores      starts a restore
GET  /api/runs/{runId}  tells how it goes
GET  /docs              shows everything there is, to be tried with a token
GET  /openapi.json      describes the same for programs; docs/api.md has examples
`;
