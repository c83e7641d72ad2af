import type { DumpCheck } from '../../contract/dump-activities.ts';
import {
  maxDatabasesReported,
  type PitrReport,
  type PitrRequest,
  type RecoveredDatabase,
} from '../../contract/pitr.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { withDatabase } from '../../postgres/connect-database.ts';
import { countTables, listClusterDatabases, readReplayState } from '../../postgres/recovery-state.ts';
import { runChecks } from '../verify/checks.ts';
import { type ClusterControl, clusterStatus } from './cluster-server.ts';
import { clusterConnection } from './recover.ts';

/**
 * Looks at a recovered cluster: it takes writes, every database opens, and statements that are to be true are.
 *
 * @throws ThawError `DatabaseUnavailable` where its server does not run
 */
export async function verifyCluster(
  request: PitrRequest,
  control: ClusterControl,
  signal: AbortSignal,
): Promise<PitrReport> {
  const status = await clusterStatus(control.folder);
  if (status === null) {
    throw new ThawError('DatabaseUnavailable', 'The server of the recovered cluster does not run.', {
      hint: 'Look into its log; where somebody has stopped it, recover again.',
    });
  }
  const options = { applicationName: `thaw/${request.restoreId}/verify`, signal };
  const at = (database: string) => clusterConnection(request, control, status.port, database);
  const { isInRecovery, all } = await withDatabase(at('template1'), {}, options, async (client) => ({
    ...(await readReplayState(client)),
    all: await listClusterDatabases(client),
  }));
  const checks: DumpCheck[] = [
    isInRecovery
      ? { name: 'promoted', outcome: 'failed', detail: 'It still recovers.' }
      : { name: 'promoted', outcome: 'passed', detail: 'It takes writes.' },
  ];
  const databases: RecoveredDatabase[] = [];
  const closed: string[] = [];
  for (const { name, bytes, allowsConnections } of all) {
    const tables = allowsConnections ? await tablesOf(name) : null;
    if (tables === null && allowsConnections) closed.push(name);
    databases.push({ name, bytes, tables });
  }
  checks.push(
    closed.length > 0
      ? { name: 'databases', outcome: 'failed', detail: `cannot be opened: ${closed.slice(0, 5).join(', ')}` }
      : { name: 'databases', outcome: 'passed', detail: `${all.length} open` },
  );
  if (request.checks.length > 0) {
    checks.push(
      ...(await withDatabase(at(request.database), {}, options, (client) =>
        runChecks(client, request.checks),
      )),
    );
  }
  const isGood = checks.every(({ outcome }) => outcome !== 'failed');
  return {
    outcome: isGood ? 'verified' : 'failed',
    checks,
    databases: databases.slice(0, maxDatabasesReported),
  };

  async function tablesOf(name: string): Promise<number | null> {
    try {
      return await withDatabase(at(name), {}, options, countTables);
    } catch (error) {
      if (error instanceof ThawError && error.retryable) throw error;
      return null;
    }
  }
}
