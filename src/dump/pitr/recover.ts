import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DatabaseConfig } from '../../config/thaw-config.ts';
import type { PitrRequest, RecoveredCluster } from '../../contract/pitr.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { withDatabase } from '../../postgres/connect-database.ts';
import { type ReplayState, readPromotedState, readReplayState } from '../../postgres/recovery-state.ts';
import { freePort } from '../../stack/port.ts';
import { giveTo, requireFolder, writeMark } from './cluster-folder.ts';
import { type ClusterControl, clusterStatus, startCluster, stopCluster } from './cluster-server.ts';
import { endRecoverySettings, writeSettings } from './cluster-settings.ts';
import { readControlData } from './control-data.ts';
import { readRecoveryLog, recoveryFailure } from './recovery-log.ts';

/** How often it is looked how far the server is. */
const lookEveryMs = 250;

/** What a recovery tells while it goes on. */
export interface RecoverOptions {
  readonly signal: AbortSignal;
  /** Called with how far it is; null while that cannot be asked. */
  readonly onProgress: (state: ReplayState | null) => void;
  /** The segment that is missing, where one is. */
  readonly missing: string | null;
}

/**
 * Starts the server of an unpacked base backup and waits until it has replayed WAL up to the target and is promoted. A
 * server that an earlier attempt has started is gone on with.
 *
 * @throws ThawError `ArchiveNotFound` where the WAL does not reach the target; `DumpRejected` for what PostgreSQL does
 * not recover; `DatabaseUnavailable` where the server was ended by somebody
 */
export async function recover(
  request: PitrRequest,
  control: ClusterControl,
  options: RecoverOptions,
): Promise<RecoveredCluster> {
  const { folder } = control;
  if ((await clusterStatus(folder)) === null) await begin(request, control, {}, options.signal);
  const status = await whenPromoted(request, control, options);
  await endRecoverySettings(folder.data);
  return tell(request, control, status, options);
}

/** How to reach a cluster, by its socket. */
export function clusterConnection(
  { user }: Pick<PitrRequest, 'user'>,
  { folder }: Pick<ClusterControl, 'folder'>,
  port: number,
  database: string,
): DatabaseConfig {
  return {
    ...{ name: database, host: folder.into, port, user, password: { secret: '' } },
    ...{ sslMode: 'disable', sslRootCert: null, tables: [] },
  };
}

/** Recovery is asked for once: a promoted server that is started again must not recover anew. */
async function begin(
  request: PitrRequest,
  control: ClusterControl,
  settings: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const { folder, programs, user, env } = control;
  const mark = await requireFolder(folder.into, request.restoreId);
  const port = await freePort(request.port ?? 0);
  if (request.port !== null && port !== request.port) {
    throw new ThawError('ConfigInvalid', `port ${request.port} is taken`, {
      object: '--port',
      hint: 'Name another one, or leave it out for any that is free.',
    });
  }
  const pgControl = await readControlData(programs, folder.data, env, signal);
  await writeSettings({ request, folder, control: pgControl, port, major: programs.major });
  if (!mark.isBegun) {
    await writeFile(path.join(folder.data, 'recovery.signal'), '', { mode: 0o600 });
    await writeMark(folder.into, { ...mark, isBegun: true });
  }
  await giveTo(folder.into, user);
  await startCluster(control, settings, signal);
}

/** The server, once it is promoted. */
async function whenPromoted(
  request: PitrRequest,
  control: ClusterControl,
  { signal, onProgress, missing }: RecoverOptions,
): Promise<{ readonly port: number }> {
  for (;;) {
    await sleep(lookEveryMs, undefined, { signal });
    const status = await clusterStatus(control.folder);
    if (status === null) throw recoveryFailure(await readRecoveryLog(control.folder.log), missing);
    if (status.state === 'ready') return status;
    const state = status.state === 'standby' ? await ask(request, control, status.port, signal) : null;
    onProgress(state);
    if (state?.isPaused !== true) continue;
    // Settings of the backed up cluster grew meanwhile: only what nobody reads may go on with smaller ones.
    await stopCluster(control, signal);
    await begin(request, control, { hot_standby: 'off' }, signal);
  }
}

/** What is asked while it recovers is for the eyes; a pause that is overlooked is seen the next time. */
async function ask(
  request: PitrRequest,
  control: ClusterControl,
  port: number,
  signal: AbortSignal,
): Promise<ReplayState | null> {
  const connection = clusterConnection(request, control, port, 'template1');
  const options = { applicationName: `thaw/${request.restoreId}/recovery`, signal };
  return withDatabase(connection, {}, options, readReplayState).catch(() => null);
}

async function tell(
  request: PitrRequest,
  control: ClusterControl,
  { port }: { readonly port: number },
  { signal, missing }: RecoverOptions,
): Promise<RecoveredCluster> {
  const log = await readRecoveryLog(control.folder.log);
  // PostgreSQL 12 promotes all the same.
  if (log.stoppedAt === null && request.target.kind !== 'latest') {
    throw recoveryFailure(
      { ...log, fatal: 'recovery ended before configured recovery target was reached' },
      missing,
    );
  }
  const connection = clusterConnection(request, control, port, 'template1');
  const options = { applicationName: `thaw/${request.restoreId}/recovery`, signal };
  const { version, timeline } = await withDatabase(connection, {}, options, readPromotedState);
  return {
    ...{ port, serverVersion: version, timeline, stoppedAt: log.stoppedAt, lastCommitAt: log.lastCommitAt },
    lsn: await beginningOf(timeline, control),
    notices: [],
  };
}

/** Where a timeline begins, by the last line of its history. */
async function beginningOf(timeline: number, { folder }: ClusterControl): Promise<string> {
  const name = `${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`;
  const history = await readFile(path.join(folder.data, 'pg_wal', name), 'utf8');
  return [...history.matchAll(/^\s*\d+\s+([0-9A-F]+\/[0-9A-F]+)/gm)].at(-1)?.[1] ?? '0/0';
}
