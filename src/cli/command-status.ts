import type { Command } from 'commander';
import { findRecordedDump, listRecordedDumps } from '../client/recorded-dump.ts';
import {
  findRecordedRestore,
  listRecordedRestores,
  type RecordedRestores,
} from '../client/recorded-restore.ts';
import { findRecordedSnapshot, listRecordedSnapshots } from '../client/recorded-snapshot.ts';
import { findDatabase } from '../config/database-config.ts';
import { withDotenv } from '../config/dotenv.ts';
import { environmentServices } from '../config/environment-services.ts';
import { loadServices } from '../config/load-services.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { DrillReport } from '../contract/drill.ts';
import type { DumpOutcome } from '../contract/dump-activities.ts';
import type { RestoreOutcome } from '../contract/outcome.ts';
import type { PitrOutcome } from '../contract/pitr.ts';
import type { RestoreProgress } from '../contract/progress.ts';
import type { SnapshotOutcome } from '../contract/snapshot.ts';
import type { SystemOutcome } from '../contract/system-activities.ts';
import { ThawError } from '../contract/thaw-error.ts';
import type { UndoOutcome } from '../contract/undo-request.ts';
import type { StoredDumpRestore } from '../postgres/dump-records.ts';
import type { StoredRestore } from '../postgres/restores.ts';
import type { StoredSnapshotRestore } from '../postgres/snapshot-restores.ts';
import { isSnapshotProgress } from '../restore/snapshot-progress.ts';
import { isSystemProgress } from '../restore/system-progress.ts';
import type { CommandContext } from './context.ts';
import { drillLines } from './drill-lines.ts';
import { dumpRecordLines, dumpStatusLines } from './dump-lines.ts';
import { type TemporalFlags, withConfig, withTemporal } from './flags.ts';
import type { Followed } from './follow.ts';
import { pitrLines } from './pitr-lines.ts';
import type { Printer } from './printer.ts';
import { progressLine } from './progress-line.ts';
import { snapshotProgressLines, snapshotRecordLines, snapshotStatusLines } from './snapshot-restore-lines.ts';
import { recordLines, statusLines } from './status-lines.ts';
import { errorLines } from './summary.ts';
import { systemProgressLines, systemStatusLines } from './system-lines.ts';
import {
  drillsOf,
  dumpsOf,
  findTemporal,
  recoveriesOf,
  restoresOf,
  snapshotRestoresOf,
  systemsOf,
  type Temporal,
  undosOf,
} from './temporal.ts';
import { undoLines } from './undo-lines.ts';

interface StatusFlags extends TemporalFlags {
  readonly config?: string;
  readonly database?: string;
  readonly json?: boolean;
}

/** Restores of each database in the list. */
const listed = 20;

const examples = `
Examples:
    thaw status --config config.yaml                          the latest restores
    thaw status 20260104-052021-abc123                        of archives or of a dump
    thaw status 20260104-052021-abc123 --config config.yaml --json
`;

/** `thaw status`: how a restore is, or which restores there were. */
export function addStatusCommand(program: Command, context: CommandContext): void {
  withTemporal(withConfig(program.command('status')))
    .argument('[restore]', 'id of the restore; without it the latest ones')
    .summary('tell how a restore is, or which there were')
    .description(
      'Tells how a restore is: from Temporal, or from the record in the target database. Without an id: the latest ' +
        'restores, from the target databases of the configuration.',
    )
    .option('--database <name>', 'only this database of the configuration')
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', examples)
    .action(async (restoreId: string | undefined, flags: StatusFlags) => {
      if (restoreId === undefined) await list(flags, context);
      else await show(restoreId, flags, context);
    });
}

async function list(flags: StatusFlags, { env, printer }: CommandContext): Promise<void> {
  const config = await loadServices(flags.config, env);
  const only = onlyDatabase(config, flags);
  const found = await listRecordedRestores(config, env, only, listed);
  const dumps = await listRecordedDumps(config, env, only, listed);
  const snapshots = await listRecordedSnapshots(config, env, only, listed);
  for (const each of [found, dumps]) sayUnanswered(each, printer);
  if (flags.json === true) {
    const [restores, ofDumps, ofSnapshots] = [found, dumps, snapshots].map((each) => each.restores);
    printer.line(JSON.stringify({ restores, dumps: ofDumps, snapshots: ofSnapshots }));
    return;
  }
  const lines = [...dumpRecordLines(dumps.restores), ...snapshotRecordLines(snapshots.restores)];
  if (found.restores.length > 0 || lines.length === 0) lines.unshift(...recordLines(found.restores));
  for (const line of lines) printer.line(line);
}

async function show(restoreId: string, flags: StatusFlags, context: CommandContext): Promise<void> {
  const { printer } = context;
  const inTemporal = await askTemporal(restoreId, flags, context);
  const lost = inTemporal instanceof ThawError ? inTemporal : null;
  const told = inTemporal instanceof ThawError ? null : inTemporal;
  const status = told ?? (await askDatabases(restoreId, flags, context, lost));
  // The record of one that was terminated says that it goes on.
  if (lost !== null && 'request' in status) for (const line of errorLines(lost)) printer.aside(line);
  if (flags.json === true) printer.line(JSON.stringify(status));
  else for (const line of linesOf(status)) printer.line(line);
}

/** How a restore of any kind has ended. */
type Outcome =
  | RestoreOutcome
  | DumpOutcome
  | DrillReport
  | SystemOutcome
  | PitrOutcome
  | SnapshotOutcome
  | UndoOutcome;

/** What is known of a restore of any kind, running or ended. */
type Status = RestoreProgress | Outcome | StoredRestore | StoredDumpRestore | StoredSnapshotRestore;

function linesOf(status: Status): string[] {
  if ('drillId' in status) return drillLines(status);
  if ('downtimeSeconds' in status) return systemStatusLines(status);
  if ('passedOver' in status) return dumpStatusLines(status);
  if ('recovered' in status) return pitrLines(status);
  if ('undoes' in status && 'seconds' in status) return undoLines(status);
  if ('transactionId' in status) return snapshotStatusLines(status);
  if ('seconds' in status) return statusLines(status);
  if (!('request' in status)) return runningLines(status);
  if ('strategy' in status.request) return snapshotRecordLines([status as StoredSnapshotRestore]);
  return 'service' in status.request
    ? dumpRecordLines([status as StoredDumpRestore])
    : recordLines([status as StoredRestore]);
}

/**
 * What Temporal tells; null where it is not there, does not know the restore or has lost its outcome, an error where
 * it was terminated.
 */
async function askTemporal(
  restoreId: string,
  flags: StatusFlags,
  { env }: CommandContext,
): Promise<RestoreProgress | Outcome | ThawError | null> {
  const temporal = await findTemporal(flags, env);
  if (temporal === null) return null;
  try {
    const restores = restoresOf(temporal);
    const standing = await restores.standing(restoreId);
    if (standing === 'unknown') return null;
    const kind = await kindOf(restoreId, temporal);
    if (standing === 'running') return await kind.progress(restoreId);
    return await kind
      .outcome(restoreId)
      .catch((error: unknown) => (error instanceof ThawError && !error.retryable ? error : null));
  } finally {
    await temporal.close();
  }
}

/** What tells of a restore, by what it restores. */
async function kindOf(restoreId: string, temporal: Temporal): Promise<Followed<Outcome>> {
  const [dumps, systems, drills] = [dumpsOf(temporal), systemsOf(temporal), drillsOf(temporal)];
  if (await dumps.isDump(restoreId)) return dumps;
  if (await systems.isSystem(restoreId)) return systems;
  if (await drills.isDrill(restoreId)) return drills;
  const [recoveries, undos] = [recoveriesOf(temporal), undosOf(temporal)];
  if (await undos.isUndo(restoreId)) return undos;
  const snapshots = snapshotRestoresOf(temporal);
  if (await snapshots.isSnapshot(restoreId)) return snapshots;
  return (await recoveries.isPitr(restoreId)) ? recoveries : restoresOf(temporal);
}

async function askDatabases(
  restoreId: string,
  flags: StatusFlags,
  { env, printer }: CommandContext,
  lost: ThawError | null,
): Promise<Status> {
  const unknown = (hint: string) =>
    lost ?? new ThawError('InputInvalid', `no restore ${restoreId} is known`, { object: restoreId, hint });
  if (!flags.config && !env.THAW_CONFIG && environmentServices(await withDotenv(env)).services.length === 0) {
    throw unknown('Name the configuration with --config to look in the target databases, too.');
  }
  const config = await loadServices(flags.config, env);
  const only = onlyDatabase(config, flags);
  const found = await findRecordedRestore(config, env, restoreId, only);
  const dumps = await findRecordedDump(config, env, restoreId, only);
  const snapshots = await findRecordedSnapshot(config, env, restoreId, only);
  const restore = found.restores[0] ?? dumps.restores[0] ?? snapshots.restores[0];
  if (restore !== undefined) return restore.outcome ?? restore;
  for (const each of [found, dumps]) sayUnanswered(each, printer);
  throw unknown('See `thaw status` without an id for the latest ones.');
}

function runningLines(status: RestoreProgress): string[] {
  if (isSystemProgress(status)) return systemProgressLines(status);
  return [
    `Restore ${status.restoreId} of ${status.database}`,
    progressLine(status),
    ...(isSnapshotProgress(status) ? snapshotProgressLines(status) : []),
    ...status.tables.map(
      (table) => `  ${table.target}: ${table.state}, in flight: ${table.inFlight.join(', ') || 'none'}`,
    ),
  ];
}

function onlyDatabase(config: ThawConfig, flags: StatusFlags): string | null {
  const { database } = flags;
  if (database === undefined) return null;
  const isService = config.services.some(({ connection }) => connection.name === database);
  return isService ? database : findDatabase(config, database).name;
}

function sayUnanswered({ unanswered }: Pick<RecordedRestores, 'unanswered'>, printer: Printer): void {
  for (const { database, error } of unanswered) {
    printer.aside(
      `${database} could not be asked: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
