import type pg from 'pg';
import type { ThawConfig } from '../config/thaw-config.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { listUnended } from '../postgres/unended-snapshots.ts';
import { settleSnapshotRestores } from '../snapshot/restore/settle-restores.ts';
import { type AskStanding, standingIn } from '../snapshot/restore/workflow-standing.ts';
import { openStore } from '../store/open-store.ts';
import type { TemporalFlags } from './flags.ts';
import type { Printer } from './printer.ts';
import { findTemporal } from './temporal.ts';

/** A command that looks at restores of snapshots. */
export interface SettleJob {
  readonly config: ThawConfig;
  readonly flags: TemporalFlags;
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
}

/**
 * Ends the restores of a database whose workflows have ended without having done so, as far as Temporal can be asked,
 * and tells of them. What hinders that hinders nothing else.
 */
export async function settleSnapshots(
  { config, flags, env, printer }: SettleJob,
  client: pg.Client,
): Promise<void> {
  if ((await listUnended(client)).length === 0) return;
  const store = openStore(config.store, env);
  try {
    const place = { store, prefix: config.store.prefix };
    const told = await settleSnapshotRestores(client, place, await standingOf(flags, env));
    for (const notice of told) printer.aside(notice);
  } catch (error) {
    if (!(error instanceof ThawError)) throw error;
    printer.aside(`Whether restores still run could not be found out: ${error.message}`);
  } finally {
    store.close();
  }
}

async function standingOf(flags: TemporalFlags, env: NodeJS.ProcessEnv): Promise<AskStanding> {
  const temporal = await findTemporal(flags, env);
  return temporal === null ? async () => 'unknown' : standingIn(temporal.client);
}
