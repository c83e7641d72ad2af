import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { fieldError, parseInput } from '../client/restore-input.ts';
import type { ServiceConfig, ThawConfig } from '../config/thaw-config.ts';
import { dumpCompressions, dumpFormats } from '../contract/dump-request.ts';
import { errorCodes } from '../contract/error-code.ts';
import type { DumpsWanted, KnownDump, KnownDumps } from '../dump/choose/known-dumps.ts';
import { dumpTime } from '../dump/choose/list-dumps.ts';
import type { SwappedBack } from '../dump/swap/swap.ts';
import type { SwapBackOrder } from '../dump/swap/swap-service-back.ts';
import { answer, errorAnswers, success } from './answer.ts';
import type { ApiEnv } from './api-env.ts';
import { keyHeader, runIdOf } from './idempotency.ts';
import { limitBody, readOptionalJson } from './json-body.ts';
import { linkNextPage, pageParameters, readPage } from './list-query.ts';
import { demandDatabase, serviceOfField, serviceOfPath, visibleServices } from './visible-services.ts';

/** What is done with services besides restoring them. */
export interface ServiceTools {
  /** Lists the dumps of a service. */
  readonly dumps: (service: ServiceConfig, wanted: DumpsWanted, signal: AbortSignal) => Promise<KnownDumps>;
  /** Undoes the last swap of a database. */
  readonly swapBack: (order: SwapBackOrder) => Promise<SwappedBack>;
}

const service = z
  .object({
    name: z.string(),
    database: z.string(),
    is_default: z.boolean().openapi({ description: 'Whether it is meant where none is named.' }),
    dumps: z.boolean().openapi({ description: 'Whether it is known where its dumps lie.' }),
  })
  .openapi('Service');

const servicesRoute = createRoute({
  method: 'get',
  path: '/api/services',
  summary: 'Services that the tenant may restore dumps of',
  responses: { 200: answer('The services.', z.array(service)), ...errorAnswers(401, 403) },
});

const count = z.int().min(0);
const time = z.iso.datetime();

const dump = z
  .object({
    key: z.string(),
    bytes: count,
    etag: z.string(),
    taken_at: time.nullable().openapi({ description: 'The time in its name.' }),
    modified_at: time,
    age_seconds: z.int(),
    storage_class: z.string().nullable(),
    compression: z.enum(dumpCompressions),
    format: z.enum(dumpFormats).nullable().openapi({ description: 'Null of what is no dump.' }),
    foreign: z.string().nullable().openapi({ description: 'What it is instead, or why it cannot be read.' }),
    server_version: z.string().nullable(),
    proved_at: time.nullable().openapi({ description: 'When it was last read to its end and found good.' }),
    fault: z
      .enum(errorCodes)
      .nullable()
      .openapi({ description: 'Why it was not good when it was last read.' }),
    verified_at: time.nullable().openapi({ description: 'When it was last restored whole and verified.' }),
  })
  .openapi('Dump');

const dumpsRoute = createRoute({
  method: 'get',
  path: '/api/data/dumps',
  summary: 'Dumps of a service, the newest first',
  request: {
    query: z.strictObject({
      service: z.string().optional().openapi({ description: 'Default: the only one.' }),
      before: z
        .string()
        .optional()
        .openapi({ description: 'Only those that are not later: 2026-01-04T12:00:00Z.' }),
      ...pageParameters,
    }),
  },
  responses: {
    200: answer('A page; a Link header tells where the next one is.', z.array(dump)),
    ...errorAnswers(400, 401, 403, 404, 503),
  },
});

const swapBackInput = z
  .strictObject(
    {
      into: z
        .string('must be text')
        .min(1, 'must not be empty')
        .max(63, 'must have at most 63 characters')
        .optional()
        .openapi({
          description: 'The database that the dump was restored into, where it was not that of the service.',
        }),
    },
    'must be an object of settings',
  )
  .openapi('SwapBack', { example: {} });

const swappedBack = z
  .object({
    database: z.string(),
    from: z.string().openapi({ description: 'The name that it was kept under.' }),
    old: z
      .string()
      .nullable()
      .openapi({ description: 'The name that the one that was live is kept under now.' }),
    message: z.string(),
  })
  .openapi('SwappedBack');

const swapBackRoute = createRoute({
  method: 'post',
  path: '/api/databases/{service}/swap-back',
  summary: 'Makes the database of a service live again that a dump has replaced',
  description: 'What is live now is kept in its turn, so that the same again undoes this.',
  middleware: [limitBody] as const,
  request: {
    params: z.object({
      service: z
        .string()
        .openapi({ description: 'As GET /api/services names it.', param: { name: 'service', in: 'path' } }),
    }),
    headers: keyHeader,
    body: { content: { 'application/json': { schema: { $ref: '#/components/schemas/SwapBack' } } } },
  },
  responses: {
    200: answer('It is done.', swappedBack),
    ...errorAnswers(400, 401, 403, 404, 408, 409, 413, 415, 429, 503),
  },
});

/** Services, their dumps, and the way back from a swap. */
export function addServiceRoutes(app: OpenAPIHono<ApiEnv>, config: ThawConfig, tools: ServiceTools): void {
  app.openAPIRegistry.register('SwapBack', swapBackInput);

  app.openapi(servicesRoute, (context) => {
    const visible = visibleServices(config, context.get('caller'));
    const services = visible.map(({ name, connection, isDefault = false, dumps }) => ({
      ...{ name, database: connection.name, dumps: dumps !== null },
      is_default: isDefault || visible.length === 1,
    }));
    return context.json(success(services), 200);
  });

  app.openapi(dumpsRoute, async (context) => {
    const query = context.req.valid('query');
    const wanted = {
      before: query.before === undefined ? null : timeOf(query.before),
      ...readPage(query),
    };
    const chosen = serviceOfField(config, context.get('caller'), query.service);
    if (chosen.dumps === null) return context.json(success([]), 200);
    const { dumps, known } = await tools.dumps(chosen, wanted, context.req.raw.signal);
    linkNextPage(context, wanted, { more: dumps.length > wanted.offset + wanted.limit });
    const now = Date.now();
    return context.json(success(known.map((each) => toDumpJson(each, now))), 200);
  });

  app.openapi(swapBackRoute, async (context) => {
    const caller = context.get('caller');
    const chosen = serviceOfPath(config, caller, context.req.valid('param').service);
    const { into = chosen.connection.name } = parseInput(swapBackInput, await readOptionalJson(context));
    demandDatabase(caller, into, chosen, config);
    const restoreId = runIdOf(context.req.header('idempotency-key'), caller);
    const { from, old } = await tools.swapBack({ service: chosen, database: into, restoreId });
    const message = `${into} is the one again that was kept as ${from}`;
    return context.json(success({ database: into, from, old, message }), 200);
  });
}

function toDumpJson(known: KnownDump, now: number): z.output<typeof dump> {
  const { key, bytes, etag, compression, format, foreign, fault } = known;
  return {
    ...{ key, bytes, etag, compression, format, foreign, fault },
    taken_at: known.takenAt,
    modified_at: known.modifiedAt,
    age_seconds: Math.round((now - dumpTime(known)) / 1000),
    storage_class: known.storageClass,
    server_version: known.serverVersion,
    proved_at: known.provedAt,
    verified_at: known.verifiedAt,
  };
}

function timeOf(text: string): string {
  if (z.iso.datetime({ offset: true }).safeParse(text).success) return new Date(text).toISOString();
  throw fieldError('before', 'must be a time such as 2026-01-04T12:00:00Z', text);
}
