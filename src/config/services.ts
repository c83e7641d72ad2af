import { dirname, resolve } from 'node:path';
import { ThawError } from '../contract/thaw-error.ts';
import type { ConfigFile } from './config.ts';
import { environmentSslMode } from './ssl-mode.ts';
import { storeConfig } from './store-config.ts';
import type { DatabaseConfig, ServiceConfig, StoreConfig, ThawConfig } from './thaw-config.ts';

/** What the service of `RESTORE_DATABASE_URL` is called by besides the name of its database. */
export const defaultService = 'default';

/** Where dumps of a database lie that has no section of its own: beside the archives. */
const dumpsFolder = 'dumps';

/** From which database others are made, renamed and dropped. */
export const defaultMaintenance = 'postgres';

/**
 * The service of that name; `default` is the one of `RESTORE_DATABASE_URL`.
 *
 * @param name null: the only one, or the default one
 * @throws ThawError `InputInvalid` naming those that there are
 */
export function findService(config: ThawConfig, name: string | null): ServiceConfig {
  const { services } = config;
  const usual = services.find(({ isDefault }) => isDefault) ?? (services.length === 1 ? services[0] : null);
  const named = name === null ? usual : services.find((service) => service.name === name);
  const found = named ?? (name === defaultService ? usual : null);
  if (found) return found;
  const known = services.map((service) => service.name).join(', ');
  throw new ThawError(
    'InputInvalid',
    name === null ? 'no service is named, and there are several' : `service "${name}" is not configured`,
    {
      object: name ?? 'service',
      hint: known
        ? `Name one of ${known}, or configure it: services in config.yaml, or NAME_DB_HOST and the like.`
        : 'Configure it: services in config.yaml, NAME_DB_HOST and the like, or RESTORE_DATABASE_URL.',
    },
  );
}

/** The services of sources, the strongest first: of one name, the first counts, as the default one too where another is. */
export function strongestFirst(...sources: readonly (readonly ServiceConfig[])[]): ServiceConfig[] {
  const byName = new Map<string, ServiceConfig>();
  for (const service of sources.flat()) {
    const known = byName.get(service.name) ?? service;
    byName.set(service.name, service.isDefault ? { ...known, isDefault: true } : known);
  }
  return [...byName.values()];
}

/**
 * The section `services` of a file.
 *
 * @param file its absolute path
 * @throws ThawError `ConfigInvalid`
 */
export function configuredServices(
  sections: ConfigFile['services'],
  file: string,
  env: NodeJS.ProcessEnv,
): ServiceConfig[] {
  return sections.map((section, index) => {
    const { name, host, port, password_env, password, dumps } = section;
    const within = `services[${index}].dumps.`;
    return {
      name,
      connection: {
        name: section.database,
        host,
        port,
        user: section.user ?? name,
        password: password_env === undefined ? { text: password ?? '' } : { env: password_env },
        sslMode: section.sslmode ?? environmentSslMode(env),
        sslRootCert: section.sslrootcert === undefined ? null : resolve(dirname(file), section.sslrootcert),
        tables: [],
      },
      maintenance: section.maintenance_database,
      dumps: dumps === undefined ? null : storeConfig(dumps, { file, within }, env),
      filePrefix: section.file_prefix ?? null,
      ...(section.tenants === undefined ? {} : { tenants: section.tenants }),
    };
  });
}

/** Every configured database is a service, too: its dumps lie in the folder `dumps` beside the archives. */
export function databaseServices(databases: readonly DatabaseConfig[], store: StoreConfig): ServiceConfig[] {
  const prefix = store.prefix === '' ? dumpsFolder : `${store.prefix}/${dumpsFolder}`;
  return databases.map((connection) => ({
    name: connection.name,
    connection,
    maintenance: defaultMaintenance,
    dumps: { ...store, prefix },
    filePrefix: null,
  }));
}

/** The store of a configuration that names none for archives; without databases, none of them is asked for. */
export function storeOfServices(services: readonly ServiceConfig[]): StoreConfig {
  const dumps = services.find((service) => service.dumps !== null)?.dumps;
  return dumps ?? { kind: 'folder', path: resolve('.'), prefix: '' };
}
