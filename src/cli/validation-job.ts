import type { Logger } from 'pino';
import { tablePrefix } from '../archive/key.ts';
import { foldersOfTable } from '../client/table-folders.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { openStore } from '../store/open-store.ts';
import type { CheckOptions, CheckTools } from '../validate/check-archive.ts';
import { type InventoryScope, measureInventory } from '../validate/inventory.ts';
import { reaches } from '../validate/level.ts';
import type { Period } from '../validate/period.ts';
import { archiveReport, faultText, Report } from '../validate/report.ts';
import { Targets } from '../validate/targets.ts';
import { validateArchive, validateArchives } from '../validate/validate.ts';
import type { ArchiveVerdict } from '../validate/verdict.ts';
import { chosenDatabase } from './chosen-database.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { Interrupt } from './interrupt.ts';
import type { Printer } from './printer.ts';
import { archiveReportLines, reportLines } from './validation-lines.ts';
import { ValidationView } from './validation-view.ts';

/** What is to be validated. */
export interface ValidationInput {
  /** Null: everything below the configured prefix. */
  readonly database: string | null;
  /** Null: all. */
  readonly tables: readonly string[] | null;
  readonly period: Period;
  /** Only this archive, with or without prefix; the others do not count then. */
  readonly key: string | null;
}

/** One `thaw validate`. */
export interface ValidationJob {
  readonly config: ThawConfig;
  readonly input: ValidationInput;
  readonly options: CheckOptions;
  readonly json: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
  readonly logger: Logger;
}

/**
 * Validates archives and prints what it found.
 *
 * @throws ThawError where something cannot be looked at
 */
export async function runValidation(job: ValidationJob): Promise<ExitCode> {
  const { config, env, printer } = job;
  const scopes = job.input.key === null ? scopesOf(job.input, config) : [];
  const interrupt = new Interrupt();
  const { signal } = interrupt;
  const store = openStore(config.store, env);
  const targets = new Targets(config, env);
  const tools = { store, prefix: config.store.prefix, targets, signal };
  try {
    if (job.input.key !== null) return await validateOne(job.input.key, job, tools);
    return await validateMany(scopes, job, tools);
  } catch (error) {
    if (!signal.aborted) throw error;
    printer.aside('Interrupted: not everything was looked at.');
    return exitCodes.interrupted;
  } finally {
    interrupt.release();
    await targets.close();
    store.close();
  }
}

async function validateOne(key: string, job: ValidationJob, tools: CheckTools): Promise<ExitCode> {
  const { printer, json, options } = job;
  const verdict = await validateArchive(key, options, tools);
  const report = archiveReport(verdict);
  if (json) printer.line(JSON.stringify(report));
  else for (const line of archiveReportLines(verdict, options.level)) printer.line(line);
  return report.valid ? exitCodes.done : exitCodes.failed;
}

async function validateMany(
  scopes: readonly InventoryScope[],
  job: ValidationJob,
  tools: CheckTools,
): Promise<ExitCode> {
  const { printer, json, options } = job;
  const report = new Report();
  const view = new ValidationView(report, printer, json);
  try {
    if (reaches(options.level, 'checksums')) measure(scopes, tools, view);
    for (const scope of scopes) {
      await validateArchives(
        scope,
        options,
        { ...tools, onRead: (bytes) => view.read(bytes) },
        {
          orphan: (key) => report.orphan(key),
          verdict: (verdict) => {
            report.verdict(verdict);
            log(verdict, job.logger);
          },
        },
      );
    }
  } finally {
    view.stop();
  }
  if (json) printer.line(JSON.stringify(report.toJson()));
  else for (const line of reportLines(report, options.level)) printer.line(line);
  return report.isValid ? exitCodes.done : exitCodes.failed;
}

/** How much there is is found out beside the work itself; who cannot be told it sees no share of it. */
function measure(
  scopes: readonly InventoryScope[],
  { store, signal }: CheckTools,
  view: ValidationView,
): void {
  measureInventory(store, scopes, signal).then(
    (total) => view.expect(total),
    () => {},
  );
}

function log({ key, faults, records }: ArchiveVerdict, logger: Logger): void {
  if (faults.length === 0) logger.debug({ archive: key, records }, 'valid');
  else logger.info({ archive: key, faults: faults.map(faultText) }, 'invalid');
}

/** @throws ThawError `InputInvalid` for a database that is not configured, or a table of none */
function scopesOf({ database, tables, period }: ValidationInput, config: ThawConfig): InventoryScope[] {
  const { prefix } = config.store;
  if (database === null && tables === null) return [{ folder: prefix === '' ? '' : `${prefix}/`, period }];
  const chosen = chosenDatabase(config, database);
  const folders = tables?.flatMap((table) => foldersOfTable(prefix, chosen, table)) ?? [
    tablePrefix(prefix, chosen.name, '').replace(/\/\/$/, '/'),
  ];
  return folders.map((folder) => ({ folder, period }));
}
