import { dumpWorkflow } from '../../client/dump-client.ts';
import { toDumpRequest } from '../../client/dump-input.ts';
import type { FieldNaming } from '../../client/restore-input.ts';
import type { ServiceConfig, ThawConfig } from '../../config/thaw-config.ts';
import type { DumpRequest } from '../../contract/dump-request.ts';
import type { RunRequest } from '../../contract/run-request.ts';
import { demandAccess } from '../access.ts';
import type { Caller } from '../caller.ts';
import { demandDatabase, serviceOfField, visibleConfig } from '../visible-services.ts';
import { toDumpInput } from './dump-settings.ts';
import { type DumpsFollowing, dumpChange, dumpLines, observeDump, recordedDump } from './dumps-run.ts';
import { namings, plainSettings, refuseOthers, takenApart } from './plain-settings.ts';
import type { Source, SourceInput, SourceSettings } from './source.ts';

/** What restores of dumps need. */
export interface DumpsDependencies extends DumpsFollowing {
  readonly config: ThawConfig;
}

type DumpRunRequest = Extract<RunRequest, { sourceType: 'dump' }>;

/** Seconds without a sign of life after which the work of a worker is given to another. */
const heartbeatSeconds = 20;

/** Dumps of services: what `thaw restore-dump` can do, but for files of this machine. */
export function dumpSource(dependencies: DumpsDependencies): Source<DumpRunRequest> {
  const { config, findDump } = dependencies;
  const settings = (input: SourceInput, caller: Caller, naming: FieldNaming): SourceSettings => {
    refuseOthers(plain, input, 'dumps');
    const { source_ref: ref, options = {} } = input;
    requestOf({ source_ref: ref, options }, config, { runId: '', caller }, naming);
    return { ...plain, source_ref: ref ?? null, options };
  };
  return {
    settings: (input, caller) => settings(input, caller, namings.saved),
    settingsOnce: (body, caller) => settings(takenApart(body), caller, namings.once),
    async request(saved, owner) {
      const { request, service } = requestOf(saved, config, owner, namings.saved);
      demandRights(owner.caller, request, service, config);
      return { sourceType: 'dump', dump: request };
    },

    workflow: ({ dump }) => dumpWorkflow(dump),
    preview: null,
    observe: (runId, description) => observeDump(dependencies, runId, description),
    change: dumpChange,
    lines: dumpLines,
    recall: (runId) => recordedDump(findDump, runId),
  };
}

/** A dump is restored as it is; which part of it, its options say. */
const plain = plainSettings('dump');

function requestOf(
  { source_ref, options }: Pick<SourceInput, 'source_ref' | 'options'>,
  config: ThawConfig,
  { runId, caller }: { readonly runId: string; readonly caller: Caller },
  naming: FieldNaming,
): { readonly request: DumpRequest; readonly service: ServiceConfig } {
  const input = toDumpInput(source_ref, options, naming);
  const service = serviceOfField(config, caller, input.service ?? undefined, naming('service'));
  const named = { ...input, service: service.name };
  return { request: toDumpRequest(named, visibleConfig(config, caller), runId, heartbeatSeconds), service };
}

/**
 * Services are the operator's: a tenant that one is for may load into its database, and with `full` replace it. What
 * reaches further, by SQL or by requests of the worker, is for root.
 *
 * @throws ApiError `FORBIDDEN`
 */
function demandRights(
  caller: Caller,
  request: DumpRequest,
  service: ServiceConfig,
  config: ThawConfig,
): void {
  const { mode, part, owner, options, checks, checkUrls, into } = request;
  if (mode !== 'into-existing') demandAccess(caller, 'full', `The mode ${mode}`);
  if (part.clean) demandAccess(caller, 'full', 'The option clean');
  if (owner !== null) demandAccess(caller, 'full', 'The option owner');
  if (options.length > 0) demandAccess(caller, 'full', 'The option restore_options');
  if (checks.length > 0) demandAccess(caller, 'root', 'The option checks');
  if (checkUrls.length > 0) demandAccess(caller, 'root', 'The option check_urls');
  if (into !== null) demandDatabase(caller, into, service, config);
}
