import pino from 'pino';
import { expect, it } from 'vitest';
import { loadServices } from '../../src/config/load-services.ts';
import { runWorker } from '../../src/worker.ts';
import { testBundle, testTemporal } from '../harness/temporal.ts';

it('a worker runs by the environment alone, without a config.yaml', async () => {
  const env = { ARGUS_DB_PASSWORD: 'x', BACKUP_DIR: '/var/backups/opareta' };
  const config = await loadServices(undefined, env);
  expect(config).toMatchObject({ path: 'the environment', databases: [], services: [{ name: 'argus' }] });
  const { address, namespace, taskQueue } = testTemporal('environment-worker');
  const stopping = new AbortController();
  let isReady = false;
  await runWorker({
    ...{ config, env, namespace, taskQueue, connection: { address } },
    bundle: testBundle(),
    logger: pino({ level: 'silent' }),
    onReady: () => {
      isReady = true;
      stopping.abort();
    },
    signal: stopping.signal,
  });
  expect(isReady).toBe(true);
});
