import { FileTarget, StreamTarget } from '../export/export-target.ts';
import { formatCounted } from '../restore/format.ts';
import { differenceLine, headerLine } from '../snapshot/merge/difference-file.ts';
import { diffSnapshot } from '../snapshot/preview/preview-snapshot.ts';
import type { ExitCode } from './exit-code.ts';
import { lookAtSnapshot, type SnapshotLookJob } from './snapshot-preview-job.ts';

/** One `thaw snapshot diff`. */
export interface SnapshotDiffJob extends SnapshotLookJob {
  /** Path; null: standard output. */
  readonly out: string | null;
}

/**
 * Writes every difference between a snapshot and its tables, to be marked. A file has its name only when all of it is
 * there, and one that is there already is left, since somebody may have marked it.
 *
 * @throws ThawError `InputInvalid` for a place that no file can be written to; what would end the restore
 */
export async function writeSnapshotDiff(job: SnapshotDiffJob): Promise<ExitCode> {
  const { choice, printer, out } = job;
  const { source, database, tenant, pointInTime } = choice;
  return lookAtSnapshot(job, async (look) => {
    const target =
      out === null
        ? new StreamTarget(printer.stream)
        : await FileTarget.open(out, { flag: '--out', mode: 0o600, replaces: false });
    let differences = 0;
    try {
      await diffSnapshot(look, {
        onToken: (ifUnchanged) =>
          target.write(
            Buffer.from(headerLine({ source, database: database.name, tenant, pointInTime, ifUnchanged })),
          ),
        onDifferences: (some) => {
          differences += some.length;
          return target.write(Buffer.from(some.map((difference) => differenceLine(difference)).join('')));
        },
      });
      await target.commit();
    } catch (error) {
      await target.discard();
      throw error;
    }
    printer.aside(`${formatCounted(differences, 'difference')}${out === null ? '' : ` in ${out}`}.`);
  });
}
