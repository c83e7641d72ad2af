import type { DumpCheck, DumpProof, DumpReport } from '../../contract/dump-activities.ts';

const unproved: DumpCheck = {
  name: 'checksum',
  outcome: 'warning',
  detail:
    'The dump is whole, but not proved by a checksum: it has none in itself, and none lies beside it ' +
    '(.manifest.json, .sha256, .md5). A changed value would not be noticed.',
};

/** A report that says so where nothing proves that the bytes of a dump are those that were written. */
export function withChecksum(report: DumpReport, { checksum }: Pick<DumpProof, 'checksum'>): DumpReport {
  return checksum === null ? { ...report, checks: [unproved, ...report.checks] } : report;
}

/** Whether a report says that. */
export function isUnproved({ checks }: DumpReport): boolean {
  return checks.some(({ name, outcome }) => name === unproved.name && outcome === unproved.outcome);
}
