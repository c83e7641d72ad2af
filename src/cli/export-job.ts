import { inArchiveOrder } from '../archive/key.ts';
import { readArchiveFacts } from '../client/metadata-totals.ts';
import { foldersOfTable } from '../client/table-folders.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { type Exported, type ExportJob, exportArchives } from '../export/export-archives.ts';
import { FileTarget, StreamTarget } from '../export/export-target.ts';
import type { ExportFormat } from '../export/row-writer.ts';
import { quoteIdentifier } from '../postgres/identifier.ts';
import { describeForeign } from '../restore/foreign.ts';
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
  /** That the table was archived from, where several share its folder; null: the configured one. */
  readonly schema: string | null;
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

/** @throws ThawError `InputInvalid`, `ArchiveNotFound`, `MetadataInvalid` */
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
  const database = chosenDatabase(config, command.database);
  const folders = foldersOfTable(prefix, database, table);
  const archives: FoundArchive[] = [];
  for (const folder of folders) {
    for await (const found of takeInventory(store, { folder, period })) {
      if (found.kind === 'archive') archives.push(found);
    }
  }
  const ordered = inArchiveOrder(archives, ({ key }) => key);
  const configured = database.tables.filter(({ name }) => name === table).map(({ schema }) => schema);
  return ofOneSchema(command, store, ordered, configured);
}

/**
 * Leaves out archives of the tables of this name in other schemas, which lie in the same folder, and says so.
 *
 * @throws ThawError `InputInvalid` where nothing says which schema is meant; `MetadataInvalid` for an archive
 * that does not tell its own
 */
async function ofOneSchema(
  { schema: asked, printer }: ExportCommand,
  store: ObjectStore,
  archives: readonly FoundArchive[],
  configured: readonly string[],
): Promise<FoundArchive[]> {
  const facts = await readArchiveFacts(
    store,
    archives.map(({ key }) => key),
  );
  const told = [...new Set(facts.flatMap(({ schema }) => schema ?? []))];
  if (asked === null && told.length < 2) return [...archives];
  const [only, other] = configured;
  const schema = asked ?? (other === undefined ? only : undefined);
  if (schema === undefined) {
    throw new ThawError(
      'InputInvalid',
      `--schema: archives of several schemas lie there: ${told.join(', ')}`,
      {
        object: '--schema',
        hint: 'Say which schema is meant with --schema, or name archives by their keys.',
      },
    );
  }
  const foreign: Record<string, number> = {};
  const own = archives.filter(({ key }, place) => {
    const of = facts[place]?.schema ?? null;
    if (of === null && told.length > 1) throw untold(key);
    const isOwn = of === null || of === schema;
    if (!isOwn) foreign[of] = (foreign[of] ?? 0) + 1;
    return isOwn;
  });
  for (const line of describeForeign({ restored: 0, earlier: 0, failed: 0, foreign }))
    printer.aside(`Note: ${line}`);
  return own;
}

function untold(key: string): ThawError {
  return new ThawError(
    'MetadataInvalid',
    `${key}: it has no metadata, and archives of several schemas lie in its folder, so nothing tells whose it is.`,
    {
      object: key,
      stage: 'metadata',
      hint: 'Bring its .metadata.json back, or export archives by their keys.',
    },
  );
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
