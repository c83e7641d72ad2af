import { access } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PitrClient } from '../../../src/client/pitr-client.ts';
import { type PitrInput, toPitrRequest } from '../../../src/client/pitr-input.ts';
import { newRestoreId } from '../../../src/client/restore-id.ts';
import type { PitrOutcome } from '../../../src/contract/pitr.ts';
import { describeWithServer } from '../../harness/server-programs.ts';
import { createTestThaw, type TestThaw } from '../../harness/thaw.ts';
import { type ArchivedCluster, createArchivedCluster } from './archived-cluster.ts';

let cluster: ArchivedCluster;
let thaw: TestThaw;
let recoveries: PitrClient;
let base: string;
/** Between the second and the third row. */
let moment: string;

const at = (name: string) => path.join(cluster.folder, name);
const exists = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  );

function inputOf(rest: Partial<PitrInput>): PitrInput {
  return {
    ...{ base, wal: cluster.wal, target: { kind: 'latest' }, isExclusive: false, timeline: 'latest' },
    ...{
      into: at('recovered'),
      port: null,
      user: 'postgres',
      database: 'postgres',
      checks: [],
      keepRunning: false,
    },
    ...rest,
  };
}

async function recover(rest: Partial<PitrInput>): Promise<PitrOutcome> {
  const request = toPitrRequest(inputOf(rest), thaw.config, newRestoreId(), 5);
  await recoveries.start(request);
  return recoveries.outcome(request.restoreId);
}

describeWithServer('point in time recovery', () => {
  beforeAll(async () => {
    cluster = await createArchivedCluster();
    thaw = await createTestThaw('pitr', 'worker', { env: { PATH: process.env.PATH } });
    recoveries = new PitrClient(thaw.client, thaw.temporal.taskQueue);
    const { client } = cluster;
    await client.query('create table events (id integer primary key, note text)');
    await client.query(`insert into events values (1, 'in the backup')`);
    base = await cluster.backUp('base');
    await client.query(`insert into events values (2, 'before the moment')`);
    const { rows } = await client.query<{ now: string }>(
      `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as now`,
    );
    moment = rows[0]?.now ?? '';
    await client.query(`insert into events values (3, 'after the moment')`);
    await cluster.archiveNow();
  }, 60_000);

  afterAll(async () => {
    await thaw?.close();
    await cluster?.close();
  });

  test('to a time brings exactly the rows of before', async () => {
    const outcome = await recover({
      target: { kind: 'time', time: moment },
      checks: ['select count(*) = 2 from events'],
      keepRunning: true,
    });
    expect(outcome).toMatchObject({
      state: 'completed',
      error: null,
      isRunning: true,
      data: at('recovered/data'),
    });
    const port = outcome.recovered?.port ?? 0;
    const rows = await cluster.rowsAndStop(at('recovered'), port, 'select id, note from events order by id');
    expect(rows).toEqual([
      { id: 1, note: 'in the backup' },
      { id: 2, note: 'before the moment' },
    ]);
    expect(await exists(at('recovered/wal'))).toBe(false);
  });
});
