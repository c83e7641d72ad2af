import type { ThawConfig } from '../config/thaw-config.ts';
import { formatCount } from '../restore/format.ts';
import { isExact } from '../restore/schema-plan.ts';
import { openMarked } from '../snapshot/merge/marked-differences.ts';
import { type PreviewJob, previewSnapshot } from '../snapshot/preview/preview-snapshot.ts';
import { openStore } from '../store/open-store.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { look } from './look.ts';
import type { Printer } from './printer.ts';
import { selectionChunks } from './selection-file.ts';
import type { SnapshotChoice } from './snapshot-choice.ts';
import { snapshotPreviewJson, snapshotPreviewLines } from './snapshot-preview-lines.ts';

/** What commands that look at a snapshot without restoring it have in common. */
export interface SnapshotLookJob {
  readonly config: ThawConfig;
  readonly choice: SnapshotChoice;
  readonly env: NodeJS.ProcessEnv;
  readonly printer: Printer;
}

/** One `thaw snapshot preview`, or `thaw snapshot restore --dry-run`. */
export interface SnapshotPreviewJob extends SnapshotLookJob {
  /** Differences of each kind that are shown of each table. */
  readonly samples: number;
  /** Shows their values. */
  readonly values: boolean;
  /** A token of an earlier preview; null: not compared. */
  readonly ifUnchanged?: string | null;
  readonly json: boolean;
}

/**
 * Tells what a restore of a snapshot would do, and changes nothing. One that would be refused for its rows is not valid.
 *
 * @throws ThawError what would end the restore before it has any rows to look at
 */
export async function printSnapshotPreview(job: SnapshotPreviewJob): Promise<ExitCode> {
  const { choice, printer, samples, values, json, ifUnchanged = null } = job;
  const { selection } = choice;
  let exitCode: ExitCode = exitCodes.done;
  const end = await lookAtSnapshot(job, async (asked) => {
    const chosen = selection === null ? null : (await openMarked(selectionChunks(selection.path))).marked;
    const preview = await previewSnapshot(asked, { samples, values, chosen, ifUnchanged });
    if (json) printer.line(JSON.stringify(snapshotPreviewJson(choice, preview)));
    else for (const line of snapshotPreviewLines(choice, preview)) printer.line(line);
    if (preview.issues.length > 0) exitCode = exitCodes.invalid;
  });
  return end === exitCodes.done ? exitCode : end;
}

/** Looks at a snapshot and its tables, telling now and then how far it is. Ctrl-C ends it. */
export async function lookAtSnapshot(
  { config, choice, env, printer }: SnapshotLookJob,
  preview: (job: PreviewJob & Pick<SnapshotChoice, 'schemaStrategy'>) => Promise<void>,
): Promise<ExitCode> {
  const store = openStore(config.store, env);
  let staged = 0;
  try {
    return await look(
      printer,
      () => `${formatCount(staged)} rows read`,
      (signal) =>
        preview({
          ...choice,
          ...{ env, signal, exact: isExact(choice) },
          place: { store, prefix: config.store.prefix },
          onRows: (rows) => {
            staged += rows;
          },
        }),
    );
  } finally {
    store.close();
  }
}
