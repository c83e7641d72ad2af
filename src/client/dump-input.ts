import { serviceFingerprint } from '../config/fingerprint.ts';
import { findService } from '../config/services.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { DumpMode, DumpPart, DumpRequest } from '../contract/dump-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { checkPart, isPart, parseRestoreOptions } from '../dump/tools/restore-options.ts';

/** A restore of a dump as somebody asks for it: by command line, API or environment. */
export interface DumpInput
  extends Omit<
    DumpRequest,
    | 'restoreId'
    | 'service'
    | 'fingerprint'
    | 'server'
    | 'database'
    | 'mode'
    | 'options'
    | 'heartbeatSeconds'
    | 'isGated'
  > {
  /** Null: the only one that is configured, or the default one. */
  readonly service: string | null;
  /** Null: `swap`, and for a part `into-existing`. */
  readonly mode: DumpMode | null;
  /** As `RESTORE_OPTIONS` has them. */
  readonly restoreOptions: string;
}

/** Seconds that the old database is kept where nothing is said: a day. */
export const defaultKeepOldSeconds = 86_400;

/**
 * The request that asks for it.
 *
 * @throws ThawError `InputInvalid`: no such service, options of pg_restore that are not allowed, or a part that
 * is to replace a database
 */
export function toDumpRequest(
  input: DumpInput,
  config: ThawConfig,
  restoreId: string,
  heartbeatSeconds: number,
): DumpRequest {
  const service = findService(config, input.service);
  const { host, port, name } = service.connection;
  const asked = parseRestoreOptions(input.restoreOptions, undefined, input.part.clean);
  const part = bothParts(input.part, asked.part);
  checkPart(part, 'the part of the dump');
  for (const url of input.checkUrls) checkNoSecret(url);
  const { choice, into, create, owner, fallback, keepOldSeconds, allowErrors, checks, checkUrls } = input;
  return {
    ...{ restoreId, service: service.name, fingerprint: serviceFingerprint(service) },
    ...{ server: `${host}:${port}`, database: into ?? name },
    ...{ choice, into, create, owner, part, options: asked.options, fallback, keepOldSeconds },
    mode: modeOf(input.mode, asked.isPart || isPart(part)),
    jobs: input.jobs ?? asked.jobs,
    ...{ allowErrors, checks, checkUrls, heartbeatSeconds },
    ...(input.dryRun === true ? { dryRun: true } : {}),
  };
}

/** A request is kept in clear by Temporal and in the record of the restore. */
function checkNoSecret(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && /^https?:$/.test(url.protocol) && !url.username && !url.password) return;
  throw new ThawError(
    'InputInvalid',
    'A URL to check must be http:// or https://, without user and password in it.',
    {
      object: '--check-url',
      hint: 'Name an endpoint that tells its health without a login.',
    },
  );
}

function modeOf(asked: DumpMode | null, isForPart: boolean): DumpMode {
  if (!isForPart) return asked ?? 'swap';
  if (asked === null || asked === 'into-existing') return 'into-existing';
  throw new ThawError(
    'InputInvalid',
    `A part of a dump never replaces a database, and mode ${asked} would have it do so.`,
    {
      object: asked,
      hint: 'Leave the mode out, and the part goes into the database that is there; or restore the whole dump.',
    },
  );
}

function bothParts(one: DumpPart, other: DumpPart): DumpPart {
  return {
    tables: [...new Set([...one.tables, ...other.tables])],
    schemas: [...new Set([...one.schemas, ...other.schemas])],
    sections: [...new Set([...one.sections, ...other.sections])],
    dataOnly: one.dataOnly || other.dataOnly,
    schemaOnly: one.schemaOnly || other.schemaOnly,
    clean: one.clean || other.clean,
  };
}
