import { ApplicationFailure } from '@temporalio/common';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BackupClient } from '../../src/client/backup-client.ts';
import type { BackupOutcome, BackupRequest } from '../../src/contract/backup-request.ts';
import { backupWorkflowId } from '../../src/contract/names.ts';
import { testTemporal } from '../harness/temporal.ts';
import { startWorkflowTest, type WorkflowTest } from './workflow-test.ts';

let it: WorkflowTest;
let backups: BackupClient;
let request: BackupRequest;
/** How attempts end, in their order; the last one again and again. */
let ends: (ApplicationFailure | BackupOutcome)[];

beforeEach(async () => {
  const backUpDatabase = async () => {
    const end = ends.length > 1 ? ends.shift() : ends[0];
    if (end instanceof ApplicationFailure) throw end;
    return end;
  };
  it = await startWorkflowTest(testTemporal().address, 100, { backUpDatabase });
  backups = new BackupClient(it.client, it.taskQueue);
  request = {
    ...{ service: 'shop', fingerprint: 'f', server: `db-${it.restoreId}:5432`, database: 'shop' },
    ...{ format: 'tar', options: [] },
  };
});

afterEach(() => it.close());

const made: BackupOutcome = {
  ...{ key: 'backup-1.tar.gz', bytes: 5, sha256: 'a'.repeat(64), serverVersion: '15.0', tables: 1, rows: 3 },
  ...{ warnings: [], seconds: 1 },
};
const keep = (name: string) => it.keepHistory(name, backupWorkflowId(request));

test('a backup is tried again, and joined by who asks for it meanwhile', async () => {
  ends = [ApplicationFailure.create({ type: 'DatabaseUnavailable', message: 'pg_dump was ended' }), made];
  const both = await Promise.all([backups.make(request), backups.make(request)]);
  expect(both).toEqual([made, made]);
  expect(await it.executions()).toHaveLength(1);
  await keep('backup-dump');
});

test('a backup that cannot be made says why', async () => {
  const details = [{ hint: 'Dump as another user.' }];
  ends = [
    ApplicationFailure.create({ type: 'PermissionDenied', message: 'no', nonRetryable: true, details }),
  ];
  await expect(backups.make(request)).rejects.toMatchObject({
    ...{ code: 'PermissionDenied', message: 'no', hint: 'Dump as another user.' },
  });
  await keep('backup-dump-with-error');
});
