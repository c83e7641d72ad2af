import { fieldError } from '../client/restore-input.ts';
import { defaultService, findService } from '../config/services.ts';
import type { ServiceConfig, ThawConfig } from '../config/thaw-config.ts';
import { demandAccess } from './access.ts';
import { ApiError } from './api-error.ts';
import type { Caller } from './caller.ts';

/** The services that a caller may look at and restore: those that name its tenant; for root, all. */
export function visibleServices({ services }: ThawConfig, { access, tenant }: Caller): ServiceConfig[] {
  return services.filter(({ tenants = [] }) => access === 'root' || tenants.includes(tenant));
}

/** A configuration as a caller sees it: what it has of other tenants' services is as if it were not there. */
export function visibleConfig(config: ThawConfig, caller: Caller): ThawConfig {
  return { ...config, services: visibleServices(config, caller) };
}

/**
 * The service that a field of a request names.
 *
 * @param name undefined: the only one that the caller sees, or the default one
 * @throws ThawError `InputInvalid` naming those that the caller sees
 */
export function serviceOfField(
  config: ThawConfig,
  caller: Caller,
  name: string | undefined,
  field = 'service',
): ServiceConfig {
  const visible = visibleConfig(config, caller);
  const isKnown =
    name === undefined || name === defaultService || visible.services.some((one) => one.name === name);
  if (isKnown && visible.services.length > 0) return findService(visible, name ?? null);
  const known = visible.services.map((one) => one.name).join(', ');
  const hint = known === '' ? 'No service is for this tenant.' : `Name one of ${known}.`;
  throw fieldError(field, name === undefined ? 'is required' : 'is not configured', name, hint);
}

/** The service that a path names. @throws ApiError `RECORD_NOT_FOUND` */
export function serviceOfPath(config: ThawConfig, caller: Caller, name: string): ServiceConfig {
  const found = visibleServices(config, caller).find((service) => service.name === name);
  if (found !== undefined) return found;
  throw new ApiError('RECORD_NOT_FOUND', `No service ${name} is configured.`, {
    hint: 'GET /api/services lists those that are.',
  });
}

/** Every other database of its server than {@link isBeside} says is for root. @throws ApiError `FORBIDDEN` */
export function demandDatabase(
  caller: Caller,
  name: string,
  service: ServiceConfig,
  config: ThawConfig,
): void {
  if (!isBeside(name, service, config)) demandAccess(caller, 'root', `The database ${name}`);
}

/** Whether a database is that of the service, or is named after it and nobody else's. */
function isBeside(name: string, { connection }: ServiceConfig, { services }: ThawConfig): boolean {
  if (name === connection.name) return true;
  return name.startsWith(`${connection.name}_`) && !services.some((other) => other.connection.name === name);
}
