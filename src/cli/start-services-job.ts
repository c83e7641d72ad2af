import type { LoadedSystem } from '../config/load-system.ts';
import { findService } from '../config/services.ts';
import type { SystemConfig } from '../config/system.ts';
import { databaseWorkflowId } from '../contract/names.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { type DatabasesBeside, databasesBeside } from '../dump/swap/databases-beside.ts';
import { hookNames, runHook } from '../dump/system/hook.ts';
import { confirmByName } from './confirm.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { Interrupt } from './interrupt.ts';
import { runningHolder } from './leftovers.ts';
import { errorLines } from './summary.ts';
import type { SystemJob } from './system-job.ts';
import { contactLines } from './system-lines.ts';
import { findTemporal } from './temporal.ts';

/** A database of the system, as it is before the services are started. */
interface StandingDatabase {
  readonly service: string;
  readonly database: string;
  /** The restore that holds it; null: none does, or Temporal cannot be asked. */
  readonly heldBy: string | null;
  /** The last swap of it that can be undone; null: none. */
  readonly replaced: { readonly by: string; readonly at: string; readonly old: string } | null;
}

/** A command, or a URL that was asked. */
interface DoneHook {
  readonly step: string;
  readonly what: string;
  readonly error: ThawError | null;
}

/**
 * Starts the services of a system by the commands of `system.yaml` on this machine, and asks whether they are well:
 * for a restore that was terminated, or whose Temporal is gone, which cannot do it itself any more. It needs neither
 * Temporal nor the databases, and tells what they say where they can be asked.
 */
export async function startServices(job: SystemJob, loaded: LoadedSystem): Promise<ExitCode> {
  const { env, flags, printer } = job;
  const { system, file } = loaded;
  const databases = await standingDatabases(job, system);
  const say = flags.json === true ? printer.aside : printer.line;
  for (const line of databases.flatMap(replacedLines)) say(line);
  const doubts = [...databases.flatMap(heldLines), ...mixedLines(databases)];
  if (flags.yes !== true && doubts.length > 0 && !(await confirmByName(system.name, doubts))) {
    printer.aside('Not confirmed: nothing was started.');
    return exitCodes.failed;
  }
  const interrupt = new Interrupt();
  const done: DoneHook[] = [];
  try {
    for (const kind of ['start', 'health'] as const) {
      for (const [index, what] of hookNames(system, kind).entries()) {
        const step = `${kind}:${index + 1}`;
        const hook = { system, file, env, signal: interrupt.signal };
        const error = await failureOf(() => runHook(kind, index, hook));
        done.push({ step, what, error });
        say(`${step}  ${error === null ? 'done' : 'failed'}  ${what}`);
        if (error !== null) for (const line of errorLines(error)) say(`  ${line}`);
      }
    }
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    printer.aside('Interrupted: not all services were started.');
    return exitCodes.interrupted;
  } finally {
    interrupt.release();
  }
  const failed = done.filter(({ error }) => error !== null);
  if (flags.json === true) printer.line(JSON.stringify(jsonOf(system, databases, done)));
  else printer.line(endLine(system, failed.length));
  if (failed.length > 0) for (const line of contactLines(system.contacts)) printer.aside(line);
  return failed.length > 0 ? exitCodes.failed : exitCodes.done;
}

async function standingDatabases(job: SystemJob, system: SystemConfig): Promise<StandingDatabase[]> {
  const { config, env } = job;
  const holders = await holdersOf(job, system);
  return Promise.all(
    system.databases.map(async ({ service: name }) => {
      const service = findService(config, name);
      const { name: database } = service.connection;
      const beside = await databasesBeside(service, database, env).catch((error: unknown) => {
        job.printer.aside(`Note: ${database} could not be asked: ${textOf(error)}`);
        return null;
      });
      return { service: name, database, heldBy: holders.get(name) ?? null, replaced: lastSwap(beside) };
    }),
  );
}

function lastSwap(beside: DatabasesBeside | null): StandingDatabase['replaced'] {
  const [last] = beside?.kept ?? [];
  if (last === undefined) return null;
  return { by: last.record.restore, at: last.record.replacedAt, old: last.name };
}

/** The restores that hold databases of the system, by service; Temporal may be what is lost. */
async function holdersOf(
  { config, flags, env, printer }: SystemJob,
  system: SystemConfig,
): Promise<ReadonlyMap<string, string>> {
  const holders = new Map<string, string>();
  try {
    const temporal = await findTemporal(flags, env);
    if (temporal === null) return holders;
    try {
      for (const { service } of system.databases) {
        const { host, port, name } = findService(config, service).connection;
        const holder = await runningHolder(temporal.client, databaseWorkflowId(`${host}:${port}`, name));
        if (holder?.restoreId) holders.set(service, holder.restoreId);
      }
    } finally {
      await temporal.close();
    }
  } catch (error) {
    printer.aside(`Note: Temporal could not be asked whether a restore goes on: ${textOf(error)}`);
  }
  return holders;
}

function replacedLines({ service, database, replaced }: StandingDatabase): string[] {
  if (replaced === null) return [`${service}: ${database} was not replaced, or its old one is gone`];
  const { by, at, old } = replaced;
  return [
    `${service}: ${database} was replaced at ${at} by restore ${by}; live again by: thaw swap-back ${service} (${old})`,
  ];
}

function heldLines({ database, heldBy }: StandingDatabase): string[] {
  if (heldBy === null) return [];
  return [`Restore ${heldBy} holds ${database}, and may replace it yet: \`thaw watch ${heldBy}\`.`];
}

/** A restore of a system that was broken off between two swaps leaves new databases beside old ones. */
function mixedLines(databases: readonly StandingDatabase[]): string[] {
  const restores = databases.map(({ replaced }) => systemRestoreOf(replaced?.by ?? null));
  return [...new Set(restores)].flatMap((restore) => {
    if (restore === null || restores.every((each) => each === restore)) return [];
    const others = databases.filter((_, place) => restores[place] !== restore);
    return [
      `Restore ${restore} has not replaced ${others.map(({ database }) => database).join(', ')}: ` +
        'swap the others back first, unless this was decided so.',
    ];
  });
}

/** The restore of a system that a restore of a dump was part of: `{id}-1`, or `{id}-1-2` where it was done again. */
function systemRestoreOf(restoreId: string | null): string | null {
  return (
    /^(\d{8}-\d{6}-\w{6}|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})-\d+(-\d+)?$/.exec(restoreId ?? '')?.[1] ??
    null
  );
}

async function failureOf(work: () => Promise<void>): Promise<ThawError | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (error instanceof ThawError) return error;
    throw error;
  }
}

function endLine({ name }: SystemConfig, failed: number): string {
  if (failed === 0) return `Started: the services of system ${name}.`;
  return `Failed: ${failed === 1 ? 'a step' : `${failed} steps`} of system ${name}; the others were done.`;
}

function jsonOf({ name }: SystemConfig, databases: readonly StandingDatabase[], done: readonly DoneHook[]) {
  const steps = done.map(({ step, what, error }) => ({
    ...{ step, what, state: error === null ? 'done' : 'failed' },
    error: error === null ? null : { code: error.code, message: error.message, hint: error.hint },
  }));
  return { system: name, databases, steps };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
