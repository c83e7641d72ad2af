import type { Logger } from 'pino';
import type { RestoreInput } from '../client/restore-input.ts';
import { toRestoreRequest } from '../client/restore-request.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { RestoreOutcome } from '../contract/outcome.ts';
import type { RestoreRequest } from '../contract/restore-request.ts';
import { type DurableJob, runDurableJob } from './durable-job.ts';
import { type ExitCode, exitCodeOf } from './exit-code.ts';
import { flagNaming } from './flags.ts';
import { endLeftovers } from './leftovers.ts';
import type { Printer } from './printer.ts';
import { summaryLines } from './summary.ts';
import { restoresOf } from './temporal.ts';

/** One `thaw restore` that loads. */
export interface RestoreJob {
  readonly config: ThawConfig;
  readonly input: RestoreInput;
  readonly flags: DurableJob<RestoreRequest, RestoreOutcome>['flags'];
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
  readonly logger: Logger;
}

/** Restores archives, and tells how it goes and how it ended. */
export function runRestoreJob(job: RestoreJob): Promise<ExitCode> {
  const { input, config } = job;
  return runDurableJob<RestoreRequest, RestoreOutcome>({
    ...job,
    request: (restoreId, heartbeatSeconds) =>
      toRestoreRequest(input, config, restoreId, { naming: flagNaming, heartbeatSeconds }),
    client: restoresOf,
    clear: endLeftovers,
    notes: input.restore_all
      ? []
      : ['Note: archives named by --s3-key are restored even if they were restored before.'],
    again: 'goes on from what the ledger says',
    cancelling: 'what is in flight is rolled back.',
    tellEnd: (outcome) => tellEnd(job, outcome),
  });
}

function tellEnd({ printer, flags }: RestoreJob, outcome: RestoreOutcome): ExitCode {
  if (flags.json === true) {
    printer.line(JSON.stringify(outcome));
  } else {
    if (outcome.state === 'cancelled') {
      printer.line('Cancelled: what was in flight is rolled back; archives restored until then stay.');
    }
    for (const line of summaryLines(outcome)) printer.line(line);
  }
  return exitCodeOf(outcome);
}
