import type { Command } from 'commander';
import type { CommandContext } from './context.ts';
import { drillExitCode, drillLines } from './drill-lines.ts';
import { dumpExitCode, dumpLines } from './dump-lines.ts';
import { exitCodeOf, exitCodes } from './exit-code.ts';
import { type TemporalFlags, withTemporal } from './flags.ts';
import { followRestore } from './follow.ts';
import { Interrupt } from './interrupt.ts';
import { pitrExitCode, pitrLines } from './pitr-lines.ts';
import { progressView } from './progress-view.ts';
import { snapshotExitCode, snapshotOutcomeLines } from './snapshot-restore-lines.ts';
import { summaryLines } from './summary.ts';
import { systemLines } from './system-lines.ts';
import {
  drillsOf,
  dumpsOf,
  recoveriesOf,
  requireTemporal,
  restoresOf,
  snapshotRestoresOf,
  systemsOf,
  undosOf,
} from './temporal.ts';
import { undoExitCode, undoLines } from './undo-lines.ts';

interface WatchFlags extends TemporalFlags {
  readonly json?: boolean;
}

const examples = `
Examples:
    thaw watch 20260104-052021-abc123
    thaw watch 20260104-052021-abc123 --json
`;

/** `thaw watch`: shows a restore until it ends, and ends as `thaw restore` would. */
export function addWatchCommand(program: Command, context: CommandContext): void {
  withTemporal(program.command('watch'))
    .argument('<restore>', 'id of the restore')
    .summary('follow a restore until it ends')
    .description(
      'Shows how a restore goes until it ends, with the exit code of `thaw restore`. Ctrl-C stops nothing.',
    )
    .option('--json', 'print the outcome as one JSON object and nothing else')
    .addHelpText('after', examples)
    .action(async (restoreId: string, flags: WatchFlags) => {
      context.end(await watch(restoreId, flags, context));
    });
}

async function watch(
  restoreId: string,
  flags: WatchFlags,
  { env, printer }: CommandContext,
): Promise<number> {
  const temporal = await requireTemporal(flags, env);
  const interrupt = new Interrupt();
  try {
    const isJson = flags.json === true;
    const follow = {
      view: progressView(printer, isJson),
      silence: 'Nobody answers: is a worker running?',
      signal: interrupt.signal,
    };
    const tell = (outcome: unknown, lines: readonly string[]) => {
      if (isJson) printer.line(JSON.stringify(outcome));
      else for (const line of lines) printer.line(line);
    };
    const dumps = dumpsOf(temporal);
    if (await dumps.isDump(restoreId)) {
      const outcome = await followRestore(dumps, restoreId, follow);
      if (outcome === null) return exitCodes.interrupted;
      tell(outcome, dumpLines(outcome));
      return dumpExitCode(outcome);
    }
    const drills = drillsOf(temporal);
    if (await drills.isDrill(restoreId)) {
      const report = await followRestore(drills, restoreId, follow);
      if (report === null) return exitCodes.interrupted;
      tell(report, drillLines(report));
      return drillExitCode(report);
    }
    const systems = systemsOf(temporal);
    if (await systems.isSystem(restoreId)) {
      const outcome = await followRestore(systems, restoreId, follow);
      if (outcome === null) return exitCodes.interrupted;
      tell(outcome, systemLines(outcome));
      return dumpExitCode(outcome);
    }
    const recoveries = recoveriesOf(temporal);
    if (await recoveries.isPitr(restoreId)) {
      const outcome = await followRestore(recoveries, restoreId, follow);
      if (outcome === null) return exitCodes.interrupted;
      tell(outcome, pitrLines(outcome));
      return pitrExitCode(outcome);
    }
    const undos = undosOf(temporal);
    if (await undos.isUndo(restoreId)) {
      const outcome = await followRestore(undos, restoreId, follow);
      if (outcome === null) return exitCodes.interrupted;
      tell(outcome, undoLines(outcome));
      return undoExitCode(outcome);
    }
    const snapshots = snapshotRestoresOf(temporal);
    if (await snapshots.isSnapshot(restoreId)) {
      const outcome = await followRestore(snapshots, restoreId, follow);
      if (outcome === null) return exitCodes.interrupted;
      tell(outcome, snapshotOutcomeLines(outcome));
      return snapshotExitCode(outcome);
    }
    const outcome = await followRestore(restoresOf(temporal), restoreId, follow);
    if (outcome === null) return exitCodes.interrupted;
    tell(outcome, summaryLines(outcome));
    return exitCodeOf(outcome);
  } finally {
    interrupt.release();
    await temporal.close();
  }
}
