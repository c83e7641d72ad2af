import type {
  Objective,
  SystemDatabase,
  SystemOutcome,
  SystemProgress,
  SystemStep,
} from '../contract/system-activities.ts';
import { columns } from '../restore/columns.ts';
import { formatCount, formatSeconds } from '../restore/format.ts';
import { progressLine } from './progress-line.ts';
import { errorLines } from './summary.ts';

/** What a restore of a system did, for people. */
export function systemLines(outcome: SystemOutcome): string[] {
  const { databases, steps, notices, error, contacts, downtimeSeconds, system, seconds, state } = outcome;
  const word = { completed: 'Restored', failed: 'Failed', cancelled: 'Cancelled' }[state];
  const unstarted = steps.filter(({ step, state: end }) => step.startsWith('start:') && end !== 'done');
  const still = unstarted.length === 0 ? '' : `, and may be still: ${unstarted[0]?.step} was not done`;
  const downtime =
    downtimeSeconds === null ? '' : `; services were down for ${formatSeconds(downtimeSeconds)}${still}`;
  return [
    ...(steps.length === 0 ? [] : ['Steps:', ...indented(columns(steps.map(stepCells), new Set([2])))]),
    ...(databases.length === 0 ? [] : ['Databases:', ...indented(databaseLines(databases))]),
    ...notices.map((notice) => `Note: ${notice}`),
    ...databases.flatMap(({ leftBehind }) => leftBehind.map((name) => `Left behind: database ${name}`)),
    ...(error === null ? [] : errorLines(error)),
    ...contactLines(contacts),
    `${word}: system ${system}, after ${formatSeconds(seconds)}${downtime}.`,
    ...databases.flatMap(({ old, service }) =>
      old === null
        ? []
        : [`${old.name} is kept until ${old.dropAt}; live again by: thaw swap-back ${service}`],
    ),
  ];
}

/** How a restore of a system goes. */
export function systemProgressLines(progress: SystemProgress): string[] {
  const { restoreId, system, systemSteps, notices } = progress;
  return [
    `Restore ${restoreId} of system ${system}`,
    progressLine(progress),
    ...indented(columns(systemSteps.map(stepCells), new Set([2]))),
    ...notices.map((notice) => `Note: ${notice}`),
  ];
}

/** How a restore of a system ended, under its name. */
export function systemStatusLines(outcome: SystemOutcome): string[] {
  return [`Restore ${outcome.restoreId} of system ${outcome.system}`, ...systemLines(outcome)];
}

/** Whom to call. */
export function contactLines(contacts: readonly string[]): string[] {
  return contacts.map((contact) => `Contact: ${contact}`);
}

function stepCells({ step, what, state, seconds, tries }: SystemStep): string[] {
  return [step, state, formatSeconds(seconds), tries > 1 ? `${what} (${tries} tries)` : what];
}

function databaseLines(databases: readonly SystemDatabase[]): string[] {
  const heading = ['Database', 'Live', 'Verified', 'Rows', 'RTO', 'RPO', 'Dump'];
  const rows = databases.map(({ database, live, verified, rows: count, rto, rpo, dump }) => [
    ...[database, live, verified ?? '-', count === null ? '-' : formatCount(count)],
    ...[objectiveText(rto), objectiveText(rpo), dump?.key ?? '-'],
  ]);
  return columns([heading, ...rows], new Set([3]));
}

/** `12 s of 30 min`, with `MISSED` where it was. */
function objectiveText({ objective, measured, met }: Objective): string {
  const spent = measured === null ? '-' : formatSeconds(measured);
  if (objective === null) return spent;
  return `${spent} of ${formatSeconds(objective)}${met === false ? ' MISSED' : ''}`;
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
