import type { Logger } from 'pino';
import { type DumpInput, toDumpRequest } from '../client/dump-input.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { DumpOutcome } from '../contract/dump-activities.ts';
import type { DumpChoice, DumpRequest } from '../contract/dump-request.ts';
import { isPart } from '../dump/tools/restore-options.ts';
import { confirmByName } from './confirm.ts';
import type { DumpFlags } from './dump-flags.ts';
import { endDumpLeftovers } from './dump-leftovers.ts';
import { dumpExitCode, dumpLines } from './dump-lines.ts';
import { runDurableJob } from './durable-job.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import type { Printer } from './printer.ts';
import { dumpsOf } from './temporal.ts';

/** One `thaw restore-dump`. */
export interface DumpJob {
  readonly config: ThawConfig;
  readonly input: DumpInput;
  readonly flags: DumpFlags;
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
  readonly logger: Logger;
}

/** Restores a dump, once that is confirmed, and tells how it goes and how it ended. */
export async function runDumpJob(job: DumpJob): Promise<ExitCode> {
  const { input, config, flags, printer } = job;
  const request = toDumpRequest(input, config, '', 0);
  const losses = request.dryRun === true ? [] : lossesOf(request);
  if (flags.yes !== true && losses.length > 0 && !(await confirmByName(request.database, losses))) {
    printer.aside('Not confirmed: nothing was done.');
    return exitCodes.failed;
  }
  return runDurableJob<DumpRequest, DumpOutcome>({
    ...job,
    request: (restoreId, heartbeatSeconds) => toDumpRequest(input, config, restoreId, heartbeatSeconds),
    client: dumpsOf,
    // One that holds the database is told of, and stays.
    clear: input.dryRun === true ? async () => {} : endDumpLeftovers,
    notes: [],
    again: 'is begun again, as Temporal has lost it',
    cancelling: 'what was loaded beside the live database is removed.',
    tellEnd: (outcome) => {
      if (flags.json === true) printer.line(JSON.stringify(outcome));
      else for (const line of dumpLines(outcome)) printer.line(line);
      return dumpExitCode(outcome);
    },
  });
}

/** What of a restore can lose data, as it is told to who confirms it; empty: nothing. */
function lossesOf({ mode, server, database, choice, part, keepOldSeconds }: DumpRequest): string[] {
  const what = `${database} on ${server}`;
  if (mode === 'recreate') {
    return [`${what} is dropped with all that is in it, then made anew from ${dumpText(choice)}.`];
  }
  if (mode === 'swap') {
    const kept = keepOldSeconds === 0 ? 'dropped' : 'kept under another name for a while';
    return [`${what} is replaced by ${dumpText(choice)}; what it holds now is ${kept}.`];
  }
  if (part.clean) return [`What ${dumpText(choice)} holds is dropped from ${what} before it is loaded.`];
  if (isPart(part)) return [];
  // Only the dump itself tells, and it is read after the question.
  return [
    `${dumpText(choice)} is loaded into ${what}; a plain one made with --clean drops there first what it holds.`,
  ];
}

function dumpText(choice: DumpChoice): string {
  if (choice.kind === 'key') return choice.key;
  if (choice.kind === 'file') return choice.path;
  return choice.before === null ? 'the newest dump' : `the newest dump not later than ${choice.before}`;
}
