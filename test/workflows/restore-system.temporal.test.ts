import { afterEach, beforeEach, expect, test } from 'vitest';
import { SystemClient } from '../../src/client/system-client.ts';
import { restoreWorkflowId } from '../../src/contract/names.ts';
import type { SystemRequest } from '../../src/contract/system-request.ts';
import { until } from '../fault/until.ts';
import { testTemporal } from '../harness/temporal.ts';
import { failureOf } from './fake-dumps.ts';
import { FakeSystem, swapFailure } from './fake-system.ts';
import { startWorkflowTest, type WorkflowTest } from './workflow-test.ts';

let it: WorkflowTest;
let fake: FakeSystem;
let systems: SystemClient;

beforeEach(async () => {
  fake = new FakeSystem();
  it = await startWorkflowTest(testTemporal().address, 100, fake.activities());
  systems = new SystemClient(it.client, it.taskQueue);
});

afterEach(async () => {
  for (const { gate } of [fake, fake.argus, fake.hermes]) gate.open();
  await it.close();
});

const start = (rest: Partial<SystemRequest> = {}) =>
  systems.start({
    ...{ restoreId: it.restoreId, system: 'opareta', fingerprint: 'none', before: null },
    ...{ waitSeconds: null, heartbeatSeconds: 5, ...rest },
  });
const end = () => systems.outcome(it.restoreId);
const keep = (name: string) => it.keepHistory(name, restoreWorkflowId(it.restoreId));
const waiting = () =>
  until('a step waits', async () => {
    const [found] = (await systems.progress(it.restoreId)).waiting;
    return found ?? null;
  });

test('all dumps of a system are proved before its services are stopped, and swapped once all are verified', async () => {
  fake.after = ['argus'];
  fake.rpo = 3600;
  await start();
  const outcome = await end();

  expect(fake.steps).toEqual([
    ...[
      'stop:1',
      'load argus',
      'load hermes',
      expect.stringMatching(/^swap/),
      expect.stringMatching(/^swap/),
    ],
    ...['start:1', 'start:2', 'health:1', 'logs:1'],
  ]);
  expect(outcome).toMatchObject({
    ...{ state: 'completed', system: 'opareta', error: null, contacts: [], notices: ['planned'] },
    databases: ['argus', 'hermes'].map((service) => ({
      ...{ service, database: `${service}_db`, live: 'new', verified: 'verified', rows: 3, leftBehind: [] },
      rto: { objective: 60, met: true, measured: expect.any(Number) },
      rpo: { objective: 3600, met: false, measured: expect.any(Number) },
      old: { name: `${service}_db__old_1` },
    })),
    downtimeSeconds: expect.any(Number),
  });
  expect(outcome.steps.map(({ step, state }) => `${step} ${state}`)).toEqual([
    ...['plan done', 'prove:argus done', 'prove:hermes done', 'stop:1 done', 'restore:argus done'],
    ...['restore:hermes done', 'swap:argus done', 'swap:hermes done', 'start:1 done', 'start:2 done'],
    ...['health:1 done', 'logs:1 done'],
  ]);
  expect(fake.told.map(({ event }) => event)).toEqual(['planned', 'started', 'done']);
  expect(fake.told[0]?.body).toMatchObject({
    system: 'opareta',
    databases: [
      { service: 'argus', rpoMet: false },
      { service: 'hermes', rpoMet: false },
    ],
  });
  expect(await systems.progress(it.restoreId)).toMatchObject({
    ...{ state: 'completed', archives: { done: 2, total: 2 }, outcome },
  });
  expect(await systems.isSystem(it.restoreId)).toBe(true);
  await keep('restore-system');
});

test('a system with a dump that is not good stops no service, and loads nothing', async () => {
  fake.hermes.bad.add('argus_3.sql.gz').add('argus_2.sql.gz');
  await start();
  expect(await end()).toMatchObject({
    state: 'failed',
    error: { code: 'ArchiveCorrupt', message: expect.stringMatching(/^prove:hermes \(.*it ends too early$/) },
    databases: [{ live: 'old', rto: { measured: null } }, { live: 'old' }],
    ...{ downtimeSeconds: null, contacts: ['On-Call Engineer'] },
  });
  expect(fake.steps).toEqual([]);
  expect(fake.told.map(({ event }) => event)).toEqual(['planned', 'failed']);
  expect(fake.argus.steps).not.toContain('load');
});

test('a database of a system that is not what its dump says keeps all from being swapped, and the services go on', async () => {
  fake.hermes.report = 'failed';
  fake.failures.set('start:1', 1);
  await start();
  const outcome = await end();
  expect(outcome).toMatchObject({
    state: 'failed',
    error: { code: 'VerificationFailed' },
    databases: [{ live: 'old' }, { live: 'old' }],
    downtimeSeconds: expect.any(Number),
  });
  expect([...fake.steps].sort()).toEqual([
    ...['discard argus', 'discard hermes', 'health:1', 'load argus', 'load hermes'],
    ...['start:1', 'start:2', 'stop:1'],
  ]);
  expect(fake.steps.slice(-3)).toEqual(['start:1', 'start:2', 'health:1']);
  expect(outcome.notices).toContain('After the restore was given up: start:1 (docker): It ended with code 1');
});

test('where one database of a system cannot be swapped, those that were are swapped back', async () => {
  fake.hermes.failures.set('swap', swapFailure());
  fake.hermes.gated = 'swap';
  fake.hermes.gate.close();
  await start();
  await until('one is swapped', async () => (await systems.progress(it.restoreId)).archives.done === 1);
  fake.hermes.gate.open();
  expect(await end()).toMatchObject({
    state: 'failed',
    error: { code: 'TargetBusy', message: expect.stringContaining('swap:hermes') },
    databases: [
      { service: 'argus', live: 'old', old: null },
      { service: 'hermes', live: 'old', old: null },
    ],
    notices: ['planned', 'argus was swapped back.'],
  });
  expect(fake.steps.filter((step) => step.startsWith('undo'))).toEqual(['undo argus']);
  expect(fake.argus.steps).toContain('drop argus_db__old_2');
  expect(fake.steps.slice(-3)).toEqual(['start:1', 'start:2', 'health:1']);
  await keep('restore-system-swapped-back');
});

test('a system that is cancelled while it loads is put back, and its services started', async () => {
  fake.hermes.gate.close();
  await start();
  await until('it loads', async () => fake.hermes.steps.includes('load'));
  await it.restores.cancel(it.restoreId, 'wrong day');
  expect(await end()).toMatchObject({
    state: 'cancelled',
    databases: [{ live: 'old' }, { live: 'old' }],
    steps: expect.arrayContaining([expect.objectContaining({ step: 'restore:hermes', state: 'abandoned' })]),
  });
  expect(await it.status()).toBe('CANCELLED');
  expect(fake.hermes.steps).toContain('load broken off');
  expect(fake.steps.filter((step) => /discard|swap|undo/.test(step)).sort()).toEqual([
    ...['discard argus', 'discard hermes'],
  ]);
  expect(fake.steps.slice(-3)).toEqual(['start:1', 'start:2', 'health:1']);
  await keep('restore-system-cancelled');

  // What is being swapped by then is swapped, and swapped back.
  fake.hermes.gated = 'swap';
  fake.steps.length = 0;
  const restoreId = `${it.restoreId}-again`;
  await start({ restoreId });
  await until('one is swapped', async () => (await systems.progress(restoreId)).archives.done === 1);
  await until('the other is being swapped', async () => fake.hermes.steps.includes('swap'));
  await it.restores.cancel(restoreId, null);
  await until('it is cancelling', async () => (await systems.progress(restoreId)).state === 'cancelling');
  fake.hermes.gate.open();
  expect(await systems.outcome(restoreId)).toMatchObject({
    ...{ state: 'cancelled', databases: [{ live: 'old' }, { live: 'old' }] },
    notices: expect.arrayContaining(['argus was swapped back.', 'hermes was swapped back.']),
  });
  expect(fake.steps.filter((step) => step.startsWith('undo')).sort()).toEqual(['undo argus', 'undo hermes']);
  expect(fake.steps.slice(-3)).toEqual(['start:1', 'start:2', 'health:1']);
});

test('a failed step of a system waits for an operator: again, without it, or no further', async () => {
  fake.waitSeconds = 60;
  fake.failures.set('stop:1', 2).set('logs:1', 1);
  fake.hermes.failures.set('load', failureOf('DumpRejected', 'there is no type citext'));
  await start();
  expect(await waiting()).toMatchObject({ step: 'stop:1', error: { code: 'StepFailed' } });
  await expect(systems.decide(it.restoreId, { step: 'start:1', action: 'skip' })).rejects.toThrow(
    'Step start:1 waits for no decision; these do: stop:1.',
  );
  await systems.decide(it.restoreId, { step: 'stop:1', action: 'retry' });
  await until('it has failed again', async () => fake.steps.length === 2);
  await waiting();
  await systems.decide(it.restoreId, { step: 'stop:1', action: 'skip' });

  expect(await waiting()).toMatchObject({ step: 'restore:hermes', error: { code: 'DumpRejected' } });
  fake.hermes.failures.clear();
  await systems.decide(it.restoreId, { step: 'restore:hermes', action: 'retry' });
  expect(await waiting()).toMatchObject({ step: 'logs:1' });
  await systems.decide(it.restoreId, { step: 'logs:1', action: 'abort' });

  const outcome = await end();
  expect(outcome).toMatchObject({
    ...{ state: 'failed', error: { code: 'StepFailed', message: expect.stringContaining('logs:1') } },
    databases: [{ live: 'new' }, { live: 'new', restoreId: `${it.restoreId}-2-2` }],
    notices: ['planned', expect.stringContaining('so these stay: argus, hermes')],
  });
  const states = new Map(outcome.steps.map(({ step, state, tries }) => [step, `${state} ${tries}`]));
  expect(states.get('stop:1')).toBe('skipped 2');
  expect(states.get('restore:hermes')).toBe('done 2');
  expect(states.get('logs:1')).toBe('failed 1');
  await keep('restore-system-decided');
});

test('a database of a system that an operator leaves out keeps its old one; nobody there ends it in time', async () => {
  fake.hermes.bad.add('argus_3.sql.gz').add('argus_2.sql.gz').add('argus_1.sql.gz');
  fake.failures.set('health:1', 1);
  await start({ waitSeconds: 1 });
  expect(await waiting()).toMatchObject({ step: 'prove:hermes' });
  await systems.decide(it.restoreId, { step: 'prove:hermes', action: 'skip' });
  expect(await end()).toMatchObject({
    ...{ state: 'failed', error: { message: expect.stringContaining('health:1') } },
    databases: [{ live: 'new' }, { live: 'old' }],
  });
  expect(fake.steps).not.toContain('load hermes');
});

test('a pause of a system takes hold before its next step, and reaches what loads', async () => {
  fake.gated = 'stop:1';
  fake.gate.close();
  await start();
  await until('it stops services', async () => fake.steps.includes('stop:1'));
  expect(await it.restores.pause(it.restoreId, 'lunch', false)).toBe('paused');
  fake.gate.open();
  await until('stopped', async () => {
    const { systemSteps } = await systems.progress(it.restoreId);
    return systemSteps.some(({ step, state }) => step === 'stop:1' && state === 'done');
  });
  expect(await systems.progress(it.restoreId)).toMatchObject({ state: 'paused', reason: 'lunch' });
  expect(fake.steps).toEqual(['stop:1']);
  fake.hermes.gate.close();
  await it.restores.resume(it.restoreId);
  await until('it loads', async () => fake.hermes.steps.includes('load'));
  await it.restores.pause(it.restoreId, 'lunch', true);
  await until('the load is broken off', async () => fake.hermes.steps.includes('load broken off'));
  fake.hermes.gate.open();
  await it.restores.resume(it.restoreId);
  expect(await end()).toMatchObject({ state: 'completed' });
  expect(fake.hermes.steps.filter((step) => step.startsWith('load'))).toEqual([
    ...['load', 'load broken off', 'load'],
  ]);
  await keep('restore-system-paused');
});
