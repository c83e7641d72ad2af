import { expect, test } from 'vitest';
import { systemLines } from '../../src/cli/system-lines.ts';
import type { SystemOutcome } from '../../src/contract/system-activities.ts';

const outcome: SystemOutcome = {
  ...{ restoreId: 'r', system: 's', databases: [], notices: [], error: null, contacts: [] },
  ...{ state: 'failed', downtimeSeconds: 12, seconds: 20 },
  steps: [{ step: 'start:1', what: 'up', state: 'failed', seconds: 0, tries: 2, error: null }],
};

test('services that were not started again are not told as if they were', () => {
  expect(systemLines(outcome).at(-1)).toBe(
    'Failed: system s, after 20 s; services were down for 12 s, and may be still: start:1 was not done.',
  );
});
