import { expect, test } from 'vitest';
import { forPeople } from '../../src/cli/logger.ts';

const line = (fields: object) =>
  forPeople(JSON.stringify({ level: 40, time: '2026-01-01T01:02:03Z', ...fields }));

test('of what a workflow ended by no trace is printed, and of seconds no more than thousandths', () => {
  const error = {
    type: 'Error',
    message: 'no bucket',
    stack: 'ApplicationFailure: no bucket\n    at f',
  };
  expect(line({ msg: 'Workflow failed', seconds: 0.37857794099999953, error })).toBe(
    '01:02:03 WARN  Workflow failed seconds=0.379 no bucket\n',
  );
  expect(line({ msg: 'x', error: { ...error, stack: 'TypeError: x\n    at f' } })).toContain('    at f');
});
