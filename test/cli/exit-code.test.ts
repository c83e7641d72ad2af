import { expect, it } from 'vitest';
import { exitCodeOf, exitCodeOfError } from '../../src/cli/exit-code.ts';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { failure, outcome, table, tableError } from './outcome.ts';

const corrupt = failure('ArchiveCorrupt');
const rejected = failure('RowRejected');

it.each([
  ['all restored', outcome('completed', table({ restored: 3 })), 0],
  ['nothing to do', outcome('completed', table({ earlier: 3 })), 0],
  ['no archives at all', outcome('completed', table()), 0],
  [
    'some archives failed',
    outcome('completed_with_failures', table({ restored: 2, failures: [corrupt] })),
    2,
  ],
  [
    'some failed, others were restored earlier',
    outcome('completed_with_failures', table({ earlier: 1, failures: [corrupt] })),
    2,
  ],
  [
    'all failed by their rows',
    outcome('completed_with_failures', table({ failures: [corrupt, rejected] })),
    2,
  ],
  [
    'all failed validation',
    outcome('completed_with_failures', table({ failures: [corrupt, failure('ChecksumMismatch')] })),
    3,
  ],
  [
    'archives are missing or have changed, and nothing is loaded',
    outcome(
      'failed',
      table({ failures: [failure('ArchiveNotFound'), failure('ArchiveChanged')] }),
      table({ error: tableError('ArchiveChanged') }),
    ),
    3,
  ],
  ['the schema does not fit', outcome('failed', table({ error: tableError('SchemaIncompatible') })), 3],
  ['the table is missing', outcome('failed', table({ error: tableError('TargetMissing') })), 1],
  ['the table is busy', outcome('failed', table({ error: tableError('TargetBusy') })), 1],
  [
    'one table of two failed',
    outcome('completed_with_failures', table({ restored: 1 }), table({ error: tableError('TargetMissing') })),
    2,
  ],
  [
    'one table is busy, the other one does not pass',
    outcome(
      'failed',
      table({ error: tableError('TargetBusy') }),
      table({ error: tableError('SchemaIncompatible') }),
    ),
    1,
  ],
  ['it failed as a whole', { ...outcome('failed'), error: tableError('DatabaseUnavailable') }, 1],
  ['cancelled', outcome('cancelled', table({ restored: 1 })), 130],
] as const)('%s', (_, ended, code) => {
  expect(exitCodeOf(ended)).toBe(code);
});

it('ends with the code of an error that was thrown', () => {
  expect(exitCodeOfError(new ThawError('InputInvalid', 'no'))).toBe(1);
  expect(exitCodeOfError(new ThawError('ArchiveNotFound', 'no'))).toBe(2);
  expect(exitCodeOfError(new TypeError('oops'))).toBe(1);
});
