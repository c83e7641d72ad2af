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
    `select distinct on (name) name, version from thaw_api.installed_bundles
     where tenant = $1 and namespace = $2 order by name, installed_at desc`,
    [tenant, namespace],
  );
  return new Map(rows.map(({ name, version }) => [name, version]));
}

/** Writes that a bundle is installed; another version of it counts again when this one is undone. */
export async function writeInstalled(
  client: ControlClient,
  { tenant, namespace }: InstallPlace,
  bundle: { readonly name: string; readonly version: string },
  runId: string,
): Promise<void> {
  await client.query(
    `insert into thaw_api.installed_bundles (tenant, namespace, name, version, run_id)
     values ($1, $2, $3, $4, $5)
     on conflict (tenant, namespace, name, run_id) do nothing`,
    [tenant, namespace, bundle.name, bundle.version, runId],
  );
}

/** Has what a run installed count as installed no more. */
export async function forgetInstalled(client: ControlClient, runId: string): Promise<void> {
  await client.query('delete from thaw_api.installed_bundles where run_id = $1', [runId]);
}
