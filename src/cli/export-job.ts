import { inArchiveOrder } from '../archive/key.ts';
import { foldersOfTable } from '../client/table-folders.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { type Exported, type ExportJob, exportArchives } from '../export/export-archives.ts';
import { FileTarget, StreamTarget } from '../export/export-target.ts';
import type { ExportFormat } from '../export/row-writer.ts';
import { quoteIdentifier } from '../postgres/identifier.ts';
import { formatCount } from '../restore/format.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { openStore } from '../store/open-store.ts';
import { type FoundArchive, findNamedArchive, takeInventory } from '../validate/inventory.ts';
import type { Period } from '../validate/period.ts';
import { chosenDatabase } from './chosen-database.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { Interrupt } from './interrupt.ts';
import type { Printer } from './printer.ts';

/** One `thaw export`. */
export interface ExportCommand {
  readonly config: ThawConfig;
  /** With or without prefix, in the order of the rows. */
  readonly keys: readonly string[];
  /** Where no keys are given. */
  readonly database: string | null;
  readonly tables: readonly string[];
  readonly period: Period;
  readonly format: ExportFormat;
  /** Columns to leave out. */
  readonly left: readonly string[];
  /** Path; null: standard output. */
  readonly output: string | null;
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
}

/**
 * Exports archives, and tells on standard error how much and how to read it.
 *
 * @throws ThawError where an archive cannot be read or is not what was archived
 */
export async function runExport(command: ExportCommand): Promise<ExitCode> {
  const { config, env, printer, format, output } = command;
  const interrupt = new Interrupt();
  const { signal } = interrupt;
  const store = openStore(config.store, env);
  try {
    const archives = await chooseArchives(command, store);
    const target = output === null ? new StreamTarget(printer.stream) : await FileTarget.open(output);
    const job = { store, archives, format, target, signal, left: new Set(command.left) };
    const exported = await exportInto(job, command);
    sayExported(exported, archives, command);
    return exitCodes.done;
  } catch (error) {
    if (!signal.aborted) throw error;
    printer.aside('Interrupted.');
    return exitCodes.interrupted;
  } finally {
    interrupt.release();
    store.close();
  }
}

async function exportInto(job: ExportJob, { output, printer }: ExportCommand): Promise<Exported> {
  try {
    const exported = await exportArchives(job);
    await job.target.commit();
    return exported;
  } catch (error) {
    await job.target.discard();
    printer.aside(
      output === null ? 'What was written is not verified: do not use it.' : `${output} was not written.`,
    );
    throw error;
  }
}

/** @throws ThawError `InputInvalid`, `ArchiveNotFound` */
async function chooseArchives(command: ExportCommand, store: ObjectStore): Promise<FoundArchive[]> {
  const { config, keys, tables, period } = command;
  const { prefix } = config.store;
  const [table, other] = tables;
  if (keys.length > 0) return Promise.all(keys.map((key) => findNamedArchive(store, key, prefix)));
  if (table === undefined || other !== undefined) {
    throw new ThawError('InputInvalid', 'archives, or one --table, are required', {
      object: 'KEY',
      hint: 'Name archives by their keys, as `thaw list --database … --table …` prints them, or a table.',
    });
  }
  const folders = foldersOfTable(prefix, chosenDatabase(config, command.database), table);
  const archives: FoundArchive[] = [];
  for (const folder of folders) {
    for await (const found of takeInventory(store, { folder, period })) {
      if (found.kind === 'archive') archives.push(found);
    }
  }
  return inArchiveOrder(archives, ({ key }) => key);
}

function sayExported(exported: Exported, archives: readonly FoundArchive[], command: ExportCommand): void {
  const { printer, format, output } = command;
  for (const key of exported.unverified)
    printer.aside(`Note: ${key}: it has no metadata, so it was not verified.`);
  printer.aside(`Exported ${formatCount(exported.rows)} rows of ${formatCount(archives.length)} archives.`);
  if (exported.columns === null || output === null) return;
  const columns = exported.columns.map(quoteIdentifier).join(', ');
  const options = format === 'csv' ? ' with (format csv, header)' : '';
  const table = command.tables[0] ?? 'TABLE';
  printer.aside(
    `\\copy ${quoteIdentifier(table)} (${columns}) from '${output.replaceAll("'", "''")}'${options}`,
  );
}
