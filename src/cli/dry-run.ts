import type { RestoreInput } from '../client/restore-input.ts';
import { toRestoreRequest } from '../client/restore-request.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import { previewRestore } from '../preview/restore-preview.ts';
import { formatBytes, formatCount } from '../restore/format.ts';
import type { ExitCode } from './exit-code.ts';
import { flagNaming } from './flags.ts';
import { look } from './look.ts';
import { previewJson, previewLines } from './preview-lines.ts';
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
  const done = { archives: 0, bytes: 0, total: 0 };
  const told = () =>
    `${formatCount(done.archives)}/${formatCount(done.total)} archives  ${formatBytes(done.bytes)}`;
  return look(printer, told, async (signal) => {
    const previews = await previewRestore(request, {
      ...{ config, env, signal, detectConflicts: input.detect_conflicts },
      onExtent: (archives) => {
        done.total += archives;
      },
      onArchives: (archives, bytes) => {
        done.archives += archives;
        done.bytes += bytes;
      },
    });
    if (json) printer.line(JSON.stringify(previewJson(request, previews)));
    else for (const line of previewLines(request, previews)) printer.line(line);
  });
}
