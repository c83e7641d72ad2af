import type { ControlClient } from './control-database.ts';

/** Where a bundle is installed. */
export interface InstallPlace {
  readonly tenant: string;
  readonly namespace: string;
}

/** The versions of the bundles that are installed, by name. */
export async function readInstalled(
  client: ControlClient,
  { tenant, namespace }: InstallPlace,
): Promise<Map<string, string>> {
  const { rows } = await client.query<{ name: string; version: string }>(
    'select name, version from thaw_api.installed_bundles where tenant = $1 and namespace = $2',
    [tenant, namespace],
  );
  return new Map(rows.map(({ name, version }) => [name, version]));
}

/** Writes that a bundle is installed, in place of another version of it. */
export async function writeInstalled(
  client: ControlClient,
  { tenant, namespace }: InstallPlace,
  bundle: { readonly name: string; readonly version: string },
  runId: string,
): Promise<void> {
  await client.query(
    `insert into thaw_api.installed_bundles (tenant, namespace, name, version, run_id)
     values ($1, $2, $3, $4, $5)
     on conflict (tenant, namespace, name) do update
     set version = excluded.version, run_id = excluded.run_id, installed_at = now()`,
    [tenant, namespace, bundle.name, bundle.version, runId],
  );
}
