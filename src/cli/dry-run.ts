import type { RestoreInput } from '../client/restore-input.ts';
import { previewRestore, type TablePreview } from '../client/restore-preview.ts';
import { toRestoreRequest } from '../client/restore-request.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import type { RestoreRequest } from '../contract/restore-request.ts';
import { formatBytes, formatCount } from '../restore/format.ts';
import { describeFrozen, frozenObjects } from '../store/storage-class.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { flagNaming } from './flags.ts';
import type { Printer } from './printer.ts';

/** One `thaw restore --dry-run`. */
export interface DryRunJob {
  readonly config: ThawConfig;
  readonly input: RestoreInput;
  readonly json: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
}

/** Tells what a restore would do, and changes nothing. */
export async function dryRun({ config, input, json, env, printer }: DryRunJob): Promise<ExitCode> {
  const request = toRestoreRequest(input, config, '', { naming: flagNaming });
  const previews = await previewRestore(request, config, env);
  if (json) printer.line(JSON.stringify(previewJson(request, previews)));
  else for (const line of previewLines(request, previews)) printer.line(line);
  return exitCodes.done;
}

/** Keys that are shown by name. */
const shownKeys = 10;

/** What a restore would do, for people; the first lines are those of the archive guide's tool. */
export function previewLines(request: RestoreRequest, previews: readonly TablePreview[]): string[] {
  const archives = previews.flatMap((preview) => preview.archives);
  const bytes = archives.reduce((sum, archive) => sum + archive.bytes, 0);
  const earlier = previews.reduce((sum, preview) => sum + preview.earlier, 0);
  const targets = previews.map(({ table }) => `${table.intoSchema}.${table.intoTable}`);
  return [
    `DRY RUN: Would restore ${archives.length} archive file(s):`,
    ...archives.slice(0, shownKeys).map(({ key }) => `  - ${key}`),
    ...(archives.length > shownKeys ? [`  ... and ${archives.length - shownKeys} more`] : []),
    `Into: ${targets.join(', ')} of ${request.database}, ${formatBytes(bytes)} compressed`,
    ...previews.map(targetLine),
    ...unknownLines(previews.reduce((sum, { totals }) => sum + totals.unknown, 0)),
    ...earlierLines(earlier, request),
    ...describeFrozen(frozenObjects(archives)),
  ];
}

function targetLine({ table, archives, totals }: TablePreview): string {
  const parts = [
    `${formatCount(archives.length)} archive${archives.length === 1 ? '' : 's'}`,
    `${formatCount(totals.rows)} rows`,
    `${formatBytes(totals.uncompressedBytes)} uncompressed`,
  ];
  return `  ${table.intoSchema}.${table.intoTable}: ${parts.join(', ')}`;
}

function unknownLines(unknown: number): string[] {
  if (unknown === 0) return [];
  return [`Note: rows and sizes leave out ${formatCount(unknown)} of them, whose metadata does not tell`];
}

function earlierLines(earlier: number, { options, keys }: RestoreRequest): string[] {
  const restored = `${formatCount(earlier)} archive${earlier === 1 ? ' was' : 's were'} already restored`;
  if (!options.ignoreWatermark) return [`Note: ${restored}, and would be left out`];
  const why = keys === null ? 'the watermark is ignored' : 'archives are named by --s3-key';
  return [`Note: ${restored}, and would be restored again, since ${why}`];
}

function previewJson(request: RestoreRequest, previews: readonly TablePreview[]) {
  return {
    dryRun: true,
    database: request.database,
    ignoreWatermark: request.options.ignoreWatermark,
    tables: previews.map(({ table, archives, earlier, totals }) => ({
      ...table,
      earlier,
      ...totals,
      archives: archives.map(({ key, bytes, storageClass }) => ({ key, bytes, storageClass })),
    })),
  };
}
