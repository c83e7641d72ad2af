import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { beforeAll, expect, test } from 'vitest';
import { workflowBundle } from '../../src/workflow-bundle.ts';
import { type RecordedHistory, readHistories } from './history-file.ts';

/**
 * Replays histories that were recorded from earlier code: restores that run while a worker is replaced
 * must go on. When one fails, the workflow has changed what it asks of Temporal, or the order of it.
 *
 * - In code that was released: bring the old behaviour back, or guard the new one with `patched()`, and
 *   leave the histories as they are. Record more, under new names, to have the new way replayed too.
 * - In code that no release had yet: `node scripts/record-histories.mjs` records them anew.
 */
const histories = readHistories();

const errors = new Map<string, Error | undefined>();

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const bundle = await workflowBundle();
  // One worker for all of them: to start it takes ten times as long as to replay one.
  const names = new Map(histories.map(({ name, history }) => [runOf(history), name]));
  for await (const { runId, error } of Worker.runReplayHistories({ workflowBundle: bundle }, histories))
    errors.set(names.get(runId) ?? runId, error);
});

function runOf({ events }: RecordedHistory['history']): string {
  return events[0]?.workflowExecutionStartedEventAttributes?.originalExecutionRunId ?? '';
}

test.each(histories)('$name is replayed as it was recorded', ({ name }) => {
  expect([...errors.keys()]).toContain(name);
  expect(errors.get(name)).toBeUndefined();
});

test('every workflow was recorded, with failures, a pause, a cancel and continue-as-new', () => {
  expect(histories.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'backup-dump',
      'backup-dump-with-error',
      'create-snapshot',
      'create-snapshot-cancelled',
      'create-snapshot-with-error',
      'drill',
      'drill-cancelled',
      'drill-with-error',
      'drop-old-database',
      'extract-bundle',
      'extract-bundle-cancelled',
      'extract-bundle-with-error',
      'hold-database',
      'restore-all-cancelled-by-signal',
      'restore-all-paused',
      'restore-all-with-error',
      'restore-archive',
      'restore-bundle',
      'restore-bundle-cancelled',
      'restore-bundle-paused-now',
      'restore-bundle-whole',
      'restore-dump',
      'restore-dump-cancelled',
      'restore-dump-not-good',
      'restore-dump-paused',
      'restore-dump-with-error',
      'restore-pack',
      'restore-pitr',
      'restore-pitr-cancelled',
      'restore-pitr-with-error',
      'restore-snapshot',
      'restore-snapshot-cancelled',
      'restore-snapshot-paused',
      'restore-snapshot-with-error',
      'restore-system',
      'restore-system-cancelled',
      'restore-system-decided',
      'restore-system-paused',
      'restore-system-swapped-back',
      'restore-table-cancelled-by-signal',
      'restore-table-first-run',
      'restore-table-last-run',
      'restore-table-later-run',
      'restore-table-paused',
      'restore-table-paused-now',
      'restore-table-with-error',
      'restore-table-with-failures',
      'undo-restore',
      'undo-restore-cancelled',
      'undo-restore-paused',
      'undo-restore-with-error',
    ]),
  );
});

test('histories tell nothing of the machine that they were recorded on', () => {
  for (const { history } of histories) {
    const texts: string[] = [];
    const json = JSON.stringify(history.toJSON(), (key, value) => {
      if (key === 'identity' && value !== '') texts.push(value);
      return value;
    });
    expect(texts.filter((text) => !/^(worker|client|history-service)$/.test(text))).toEqual([]);
    const payloads = [...json.matchAll(/"data":"([^"]*)"/g)].map(([, data = '']) => atob(data));
    expect([json, ...payloads].filter((text) => /\/(home|root|tmp|work|Users)\//.test(text))).toEqual([]);
  }
});
