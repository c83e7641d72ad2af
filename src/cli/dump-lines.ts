import type { DumpOutcome } from '../contract/dump-activities.ts';
import { reportLines } from '../dump/verify/report-lines.ts';
import type { StoredDumpRestore } from '../postgres/dump-records.ts';
import { isAboutDump } from '../restore/dump-faults.ts';
import { formatBytes, formatCount, formatSeconds } from '../restore/format.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { errorLines } from './summary.ts';

/** What a restore of a dump did, for people. */
export function dumpLines(outcome: DumpOutcome): string[] {
  const { passedOver, notices, report, error, database } = outcome;
  // By now it has another name than when it was looked at.
  const isLive = outcome.state === 'completed';
  const told = report && isLive ? { ...report, after: { ...report.after, database } } : report;
  return [
    // The last one may be what the error says.
    ...passedOver
      .filter(({ reason }) => error === null || !reason.endsWith(error.message))
      .map(({ key, reason }) => `NOT GOOD: ${key}: ${reason}`),
    ...notices.map((notice) => `Note: ${notice}`),
    ...(told === null ? [] : reportLines(told)),
    ...(error === null ? [] : errorLines(error)),
    ...endLines(outcome),
  ];
}

/** How a restore of a dump ended, under its name. */
export function dumpStatusLines(outcome: DumpOutcome): string[] {
  const { restoreId, service, database } = outcome;
  return [`Restore ${restoreId} of a dump of ${service} into ${database}`, ...dumpLines(outcome)];
}

/** A line for each restore of a dump. */
export function dumpRecordLines(restores: readonly StoredDumpRestore[]): string[] {
  return restores.map(({ request, state, outcome, startedAt }) => {
    const { restoreId, service, database, mode } = request;
    const dump = outcome?.dump ? `  ${outcome.dump.key}` : '';
    return `${restoreId}  ${startedAt.slice(0, 19)}Z  ${state.padEnd(23)}  ${database} (${service}, ${mode})${dump}`;
  });
}

/** How a command ends after a restore of a dump, or of a system of them, that ended so. */
export function dumpExitCode({ state, error }: Pick<DumpOutcome, 'state' | 'error'>): ExitCode {
  if (state === 'completed') return exitCodes.done;
  if (state === 'cancelled') return exitCodes.interrupted;
  const isInvalid =
    error !== null &&
    (isAboutDump(error.code) || error.code === 'SchemaIncompatible' || error.code === 'VerificationFailed');
  return isInvalid && error.code !== 'DumpRejected' ? exitCodes.invalid : exitCodes.failed;
}

function endLines(outcome: DumpOutcome): string[] {
  const { state, service, database, mode, proof, old, leftBehind, seconds } = outcome;
  if (outcome.wouldDo !== undefined) {
    const steps = outcome.wouldDo.map((line, place) => `  ${place + 1}. ${line}`);
    return [
      'Would:',
      ...steps,
      `Dry run of ${database}: nothing was touched, after ${formatSeconds(seconds)}.`,
    ];
  }
  const left = leftBehind.map((name) => `Left behind: database ${name}`);
  if (state !== 'completed') {
    const word = state === 'cancelled' ? 'Cancelled' : 'Failed';
    const untouched = mode === 'swap' ? ` ${database} is as it was.` : '';
    return [...left, `${word} after ${formatSeconds(seconds)}.${untouched}`];
  }
  const what =
    proof === null
      ? ''
      : ` from ${proof.dump.key} (${proof.format}, ${formatBytes(proof.dump.bytes)}, ${rowsText(proof.rows)})`;
  return [
    ...left,
    `Restored ${database}${what} in ${formatSeconds(seconds)}.`,
    ...(old === null
      ? []
      : [
          `The old database is kept as ${old.name} until ${old.dropAt}; live again by: thaw swap-back ${service}`,
        ]),
  ];
}

function rowsText(rows: number | null): string {
  return rows === null ? 'rows not counted' : `${formatCount(rows)} rows`;
}
