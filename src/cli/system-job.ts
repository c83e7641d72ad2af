import type { Logger } from 'pino';
import { findSystem, type LoadedSystem, loadSystems, systemFingerprint } from '../config/load-system.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { SystemOutcome } from '../contract/system-activities.ts';
import type { SystemRequest } from '../contract/system-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { planDumps } from '../dump/system/plan-system.ts';
import { dumpAge } from '../restore/system-progress.ts';
import type { SystemFlags } from './command-restore-system.ts';
import { confirmByName } from './confirm.ts';
import { dumpExitCode } from './dump-lines.ts';
import { ageText } from './dumps-lines.ts';
import { runDurableJob } from './durable-job.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import type { Printer } from './printer.ts';
import { startServices } from './start-services-job.ts';
import { contactLines, systemLines } from './system-lines.ts';
import { systemsOf } from './temporal.ts';

/** One `thaw restore-system`. */
export interface SystemJob {
  readonly config: ThawConfig;
  /** Null: the only system. */
  readonly name: string | null;
  readonly flags: SystemFlags;
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
  readonly logger: Logger;
}

/** Restores a system, once its checklist is confirmed, and tells how it goes and how it ended. */
export async function runSystemJob(job: SystemJob): Promise<ExitCode> {
  const { config, env, flags, printer } = job;
  const loaded = findSystem(await loadSystems(config, env), job.name);
  if (flags.startServices === true) return startServices(job, loaded);
  const { system } = loaded;
  const say = flags.json === true ? printer.aside : printer.line;
  for (const line of await planLines(job, loaded)) say(line);
  for (const line of system.checklist) say(`[ ] ${line}`);
  const databases = system.databases.map(({ service }) => service).join(', ');
  const loss = `The databases of ${databases} are replaced by their dumps; what they hold now is kept under other names for a while.`;
  if (flags.yes !== true && !(await confirmByName(system.name, [loss]))) {
    printer.aside('Not confirmed: nothing was done.');
    return exitCodes.failed;
  }
  try {
    return await runDurableJob<SystemRequest, SystemOutcome>({
      ...job,
      request: (restoreId, heartbeatSeconds) => ({
        ...{ restoreId, heartbeatSeconds, system: system.name, fingerprint: systemFingerprint(system) },
        ...{ before: flags.before ?? null, waitSeconds: flags.wait ?? null },
      }),
      client: systemsOf,
      clear: async () => {},
      notes: [],
      again: 'is begun again, as Temporal has lost it',
      cancelling: 'until the services are started again, everything is put back as it was.',
      tellEnd: (outcome) => {
        // Before there is a plan, the restore does not know them.
        const contacts = outcome.state === 'completed' ? [] : system.contacts;
        if (flags.json === true) printer.line(JSON.stringify({ ...outcome, contacts }));
        else for (const line of systemLines({ ...outcome, contacts })) printer.line(line);
        return dumpExitCode(outcome);
      },
    });
  } catch (error) {
    for (const line of contactLines(system.contacts)) printer.aside(line);
    throw error;
  }
}

/** The dumps that will be restored, as this machine sees them; the workers look for themselves. */
async function planLines(
  { config, env, flags, printer }: SystemJob,
  { system }: LoadedSystem,
): Promise<string[]> {
  const before = flags.before ?? null;
  try {
    const setting = { system, config, env, before, restoreId: '', heartbeatSeconds: 0 };
    const { databases, notices } = await planDumps(setting);
    const now = Date.now();
    return [
      ...databases.map(
        ({ request: { service, database }, dump }) =>
          `${service}: ${dump.key}, ${ageText(dumpAge({ dump }, now))} old, into ${database}`,
      ),
      ...notices.map((notice) => `Note: ${notice}`),
    ];
  } catch (error) {
    if (!(error instanceof ThawError) || !error.retryable) throw error;
    printer.aside(`Note: the dumps could not be looked at from here: ${error.message}`);
    return [];
  }
}
