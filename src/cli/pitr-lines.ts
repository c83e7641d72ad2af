import type { PitrOutcome, PitrReport } from '../contract/pitr.ts';
import { columns } from '../restore/columns.ts';
import { isAboutDump } from '../restore/dump-faults.ts';
import { formatBytes, formatCount, formatSeconds } from '../restore/format.ts';
import { targetText } from '../restore/pitr-progress.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { errorLines } from './summary.ts';

/** How a recovery went, for people. */
export function pitrLines(outcome: PitrOutcome): string[] {
  const { notices, report, error, leftBehind } = outcome;
  return [
    ...notices.map((notice) => `Note: ${notice}`),
    ...(report === null ? [] : reportLines(report)),
    ...(error === null ? [] : errorLines(error)),
    ...leftBehind.map((folder) => `Left behind: ${folder}`),
    ...endLines(outcome),
  ];
}

/** How a command ends after a recovery that ended so. */
export function pitrExitCode({ state, error }: PitrOutcome): ExitCode {
  if (state === 'completed') return exitCodes.done;
  if (state === 'cancelled') return exitCodes.interrupted;
  const isInvalid = error !== null && (isAboutDump(error.code) || error.code === 'VerificationFailed');
  return isInvalid && error.code !== 'DumpRejected' ? exitCodes.invalid : exitCodes.failed;
}

const marks = { passed: 'ok', failed: 'FAILED', skipped: 'skipped', warning: 'warning' } as const;

function reportLines({ checks, databases }: PitrReport): string[] {
  const rows = databases.map(({ name, bytes, tables }) => [
    name,
    formatBytes(bytes),
    tables === null ? 'takes no connections' : `${formatCount(tables)} tables`,
  ]);
  return [
    'Databases:',
    ...indented(columns(rows)),
    'Checks:',
    ...indented(columns(checks.map(({ outcome, name, detail }) => [marks[outcome], name, detail]))),
  ];
}

function endLines(outcome: PitrOutcome): string[] {
  const { state, target, recovered, data, isRunning, rtoSeconds, rpoSeconds, seconds } = outcome;
  if (state !== 'completed' || recovered === null || data === null) {
    return [`${state === 'cancelled' ? 'Cancelled' : 'Failed'} after ${formatSeconds(seconds)}.`];
  }
  const { lsn, timeline, stoppedAt, lastCommitAt, port, serverVersion } = recovered;
  const age = rpoSeconds === null ? '' : `, ${formatSeconds(rpoSeconds)} before ${told(outcome)}`;
  const into = data.slice(0, -'/data'.length);
  return [
    `Recovered to ${targetText(target)}: ${stoppedAt === null ? 'all WAL was replayed' : `stopped ${stoppedAt}`}.`,
    `Timeline ${timeline} from ${lsn}. Last transaction: ${lastCommitAt === null ? 'none behind the backup' : lastCommitAt + age}.`,
    `PostgreSQL ${serverVersion} in ${data}, verified after ${formatSeconds(rtoSeconds ?? seconds)}.`,
    isRunning
      ? `It runs: psql -h ${into} -p ${port}; over TCP on localhost with the passwords of its roles.`
      : `It is stopped: pg_ctl start -D ${data}`,
  ];
}

function told({ target }: PitrOutcome): string {
  return target.kind === 'time' ? 'the target' : 'the recovery began';
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
