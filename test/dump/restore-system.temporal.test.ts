import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { DumpClient } from '../../src/client/dump-client.ts';
import { newRestoreId } from '../../src/client/restore-id.ts';
import { databaseWorkflowId, restoreWorkflowId } from '../../src/contract/names.ts';
import { thawHere } from '../cli/thaw-here.ts';
import { until } from '../fault/until.ts';
import { describeWithPrograms } from '../harness/client-programs.ts';
import { asAdministrator } from '../harness/postgres.ts';
import { createSystemSite, type SystemSite } from './system-site.ts';

let site: SystemSite;
let receiver: Server;
const received: { event: unknown; isSigned: boolean }[] = [];

describeWithPrograms('a restore of the system of the example', () => {
  beforeAll(async () => {
    receiver = await listen();
    const { port } = receiver.address() as AddressInfo;
    const notify = `notify: [{ url: "http://127.0.0.1:${port}/", secret_env: HOOK_SECRET }]`;
    site = await createSystemSite('system', notify, { HOOK_SECRET: secret });
    await site.query('argus', 'create table users (id int primary key)');
    await site.query('hermes', 'create table transactions (id int primary key)');
    await fill(1000, 5000);
    await site.dump('argus', '020000');
    await site.dump('hermes', '020000');
    await site.startServices();
  }, 120_000);

  beforeEach(() => fill(10, 20));

  afterAll(async () => {
    receiver.close();
    await site.close();
  });

  test('brings both services onto their dumps, and reports steps, objectives and old databases', async () => {
    const seen = watch();
    const { exitCode, stdout } = await thawHere(['restore-system', '--yes'], commandEnv());
    expect(exitCode, stdout).toBe(0);
    expect(await seen.end()).toEqual({ argus: [10, 1000], hermes: [20, 5000] });
    expect(stdout).toContain('[ ] Notify stakeholders: inform the team about planned downtime');
    expect(stdout).toMatch(
      /Note: argus: argus_20250101_020000\.sql\.gz is .* h old, more than .* of 24 h allows\./,
    );
    expect(stdout).toMatch(/ {2}stop:1 +done +\d+ s {2}stop argus\n/);
    expect(stdout).toMatch(
      /_hermes_\w+ +new +verified +5,000 {2}\d+ s of 30 min 0 s {2}\d+ h \d+ min of 24 h 0 min MISSED {2}hermes_20250101_020000\.sql\.gz/,
    );
    expect(stdout).toMatch(/Restored: system opareta, after \d+ s; services were down for \d+ s\.\n/);
    expect(stdout).toContain('live again by: thaw swap-back argus');
    expect(await site.others()).toHaveLength(2);
    expect(received).toEqual(
      ['system.planned', 'system.started', 'system.done'].map((event) => ({ event, isSigned: true })),
    );
  });

  test('with a dump that was cut short stops no service, and changes nothing', async () => {
    await site.dump('hermes', '030000', (bytes) => bytes.subarray(0, bytes.length - 20));
    const pids = await site.running();
    const before = await site.others();
    const { exitCode, stdout } = await thawHere(['restore-system', '--yes', '--json'], commandEnv());
    await site.remove('hermes', '030000');
    expect(exitCode).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ state: 'failed', downtimeSeconds: null, error: { code: 'ArchiveCorrupt' } },
      contacts: ['On-Call Engineer: check the PagerDuty rotation', expect.any(String), expect.any(String)],
      databases: [{ live: 'old' }, { live: 'old' }],
    });
    expect(await site.running()).toEqual(pids);
    expect([await site.ask('argus'), await site.ask('hermes')]).toEqual([10, 20]);
    expect(await site.others()).toEqual(before);
  });

  test('with a dump that does not pass its check starts the services again on the old databases', async () => {
    await site.query('hermes', 'truncate transactions');
    await site.dump('hermes', '040000');
    await fill(10, 20);
    const pids = await site.running();
    const before = await site.others();
    const seen = watch();
    const request = site.request();
    await site.systems.start(request);
    const outcome = await site.systems.outcome(request.restoreId);
    await site.remove('hermes', '040000');
    expect(outcome).toMatchObject({
      ...{
        state: 'failed',
        error: { code: 'VerificationFailed', message: expect.stringContaining('check 1') },
      },
      databases: [
        { live: 'old', leftBehind: [] },
        { live: 'old', leftBehind: [] },
      ],
      downtimeSeconds: expect.any(Number),
    });
    expect(await seen.end()).toEqual({ argus: [10], hermes: [20] });
    expect([await site.ask('argus'), await site.ask('hermes')]).toEqual([10, 20]);
    expect((await site.running()).filter((pid) => pids.includes(pid))).toEqual([]);
    expect(await site.others()).toEqual(before);
  });

  test('that is cancelled, or one of whose databases cannot be swapped, leaves the old ones to services that run', async () => {
    const before = await site.others();
    // It waits for longer than anybody would.
    await site.change((text) =>
      text.replace('> 0 from transactions', '> 0 from transactions, pg_sleep(600)'),
    );
    const request = site.request();
    await site.systems.start(request);
    const dumps = new DumpClient(site.thaw.client, site.thaw.temporal.taskQueue);
    await until('it verifies', async () => {
      const hermes = await dumps.progress(`${request.restoreId}-2`).catch(() => null);
      return hermes?.step === 'verify';
    });
    expect(await site.running()).toEqual([]);
    expect((await thawHere(['cancel', request.restoreId], commandEnv())).exitCode).toBe(0);
    expect(await site.systems.outcome(request.restoreId)).toMatchObject({
      ...{ state: 'cancelled', databases: [{ live: 'old' }, { live: 'old' }] },
    });
    expect([await site.ask('argus'), await site.ask('hermes')]).toEqual([10, 20]);
    expect(await site.others()).toEqual(before);

    await site.change((text) =>
      text.replace('run: kill "$(cat hermes.pid)"', 'run: echo no $ARGUS_DB_PASSWORD >&2; exit 7'),
    );
    const again = site.request({ waitSeconds: 60 });
    await site.systems.start(again);
    await until('a step waits', async () => {
      const { waiting } = await site.systems.progress(again.restoreId);
      return waiting.length > 0;
    });
    const status = await thawHere(['status', again.restoreId], commandEnv());
    expect(status.stdout).toContain(`WAITING for: thaw decide ${again.restoreId} stop:2 retry|skip|abort`);
    // The password of the database is none of the report's business.
    expect(status.stdout).toContain('It ended with code 7: no ***');
    // Somebody puts another database in the place of one: that cannot be swapped, when the other has been.
    const { hermes } = site.live;
    await asAdministrator(`alter database "${hermes.name}" rename to "${hermes.name}_away"`);
    await asAdministrator(`create database "${hermes.name}"`);
    await thawHere(['decide', again.restoreId, 'stop:2', 'skip'], commandEnv());
    await until('one is swapped, and the other cannot be', async () => {
      const { waiting, archives } = await site.systems.progress(again.restoreId);
      return waiting[0]?.step === 'swap:hermes' && archives.done === 1;
    });
    const decided = await thawHere(['decide', again.restoreId, 'swap:hermes', 'abort'], commandEnv());
    expect(decided).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('swap:hermes') });
    const watched = await thawHere(['watch', again.restoreId], commandEnv());
    await asAdministrator(`drop database "${hermes.name}" with (force)`);
    await asAdministrator(`alter database "${hermes.name}_away" rename to "${hermes.name}"`);
    expect(watched.exitCode).toBe(1);
    expect(watched.stdout).toContain('TargetBusy: swap:hermes (hermes_20250101_020000.sql.gz): ');
    expect(watched.stdout).toContain('Note: argus was swapped back.');
    expect(watched.stdout).toContain('Contact: On-Call Engineer: check the PagerDuty rotation');
    expect(await site.ask('argus')).toBe(10);
    expect(await site.others()).toEqual(before);
  });

  test('that is terminated leaves the services stopped, says so, and has them started by a command', async () => {
    const before = await site.others();
    await site.change((text) =>
      text.replace('> 0 from transactions', '> 0 from transactions, pg_sleep(600)'),
    );
    const request = site.request({ restoreId: newRestoreId() });
    await site.systems.start(request);
    const dumps = new DumpClient(site.thaw.client, site.thaw.temporal.taskQueue);
    const child = `${request.restoreId}-2`;
    await until('it verifies', async () => {
      const hermes = await dumps.progress(child).catch(() => null);
      return hermes?.step === 'verify';
    });
    const startServices = ['restore-system', '--start-services'];
    const early = await thawHere(startServices, commandEnv());
    expect(early).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(`Restore ${child} holds`) });
    await site.thaw.client.workflow.getHandle(restoreWorkflowId(request.restoreId)).terminate();
    expect(await dumps.outcome(child)).toMatchObject({ state: 'cancelled', leftBehind: [] });
    expect(await site.running()).toEqual([]);
    const told = 'hint: Its services may be stopped still: `thaw restore-system --start-services`';
    for (const command of ['status', 'watch']) {
      const { exitCode, stderr } = await thawHere([command, request.restoreId], commandEnv());
      expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringContaining(told) });
    }

    // The hold ends a moment after the restore that it is of.
    const held = site.thaw.client.workflow.getHandle(
      databaseWorkflowId(`${site.live.hermes.host}:${site.live.hermes.port}`, site.live.hermes.name),
    );
    await until('nothing holds it', async () => (await held.describe()).status.name !== 'RUNNING');
    const { exitCode, stdout, stderr } = await thawHere(startServices, commandEnv());
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/hermes: \S+ was replaced at \S+ by restore \S+; live again by: thaw swap-back/);
    expect(stdout).toContain('start:1  done  start argus\n');
    expect(stdout).toContain('Started: the services of system opareta.\n');
    expect([await site.ask('argus'), await site.ask('hermes')]).toEqual([10, 20]);
    expect(await site.others()).toEqual(before);

    // Temporal is gone, and a service does not start any more: the other one is started all the same.
    for (const pid of await site.running()) process.kill(pid);
    await until('they have ended', async () => (await site.running()).length === 0);
    await site.change((text) =>
      text.replace(/run: \|\n.*argus\.pid.*\n.*\n/, 'run: exit 7\n').replace(/(3001.*)30s/, '$11s'),
    );
    const without = await thawHere([...startServices, '--json'], {
      ...site.env,
      THAW_STATE_DIR: site.folder,
    });
    expect(without.exitCode).toBe(1);
    expect(JSON.parse(without.stdout)).toMatchObject({
      steps: [
        { step: 'start:1', state: 'failed', error: { code: 'StepFailed', message: 'It ended with code 7' } },
        { step: 'start:2', state: 'done' },
        { step: 'health:1', state: 'failed' },
        { step: 'health:2', state: 'done' },
      ],
    });
    expect([await site.ask('argus'), await site.ask('hermes')]).toEqual([null, 20]);
  });
});

function commandEnv(): NodeJS.ProcessEnv {
  const { address, taskQueue } = site.thaw.temporal;
  return { ...site.env, TEMPORAL_ADDRESS: address, THAW_TASK_QUEUE: taskQueue };
}

async function fill(users: number, transactions: number): Promise<void> {
  const put = (table: string, count: number) =>
    `truncate ${table}; insert into ${table} select generate_series(1, ${count})`;
  await site.query('argus', put('users', users));
  await site.query('hermes', put('transactions', transactions));
}

/** Asks both services all the time, and tells the different answers that they gave. */
function watch() {
  const answers = { argus: new Set<number>(), hermes: new Set<number>() };
  let isOver = false;
  const look = async (service: 'argus' | 'hermes') => {
    do {
      const answer = await site.ask(service);
      if (answer !== null) answers[service].add(answer);
    } while (!isOver);
    // Once more, of the end.
    const last = await site.ask(service);
    if (last !== null) answers[service].add(last);
  };
  const looking = Promise.all([look('argus'), look('hermes')]);
  return {
    end: async () => {
      isOver = true;
      await looking;
      return { argus: [...answers.argus], hermes: [...answers.hermes] };
    },
  };
}

const secret = 'a secret of the receiver';

/** Takes the messages of webhooks, and looks at their signatures. */
function listen(): Promise<Server> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      const [, at, signature] = /^t=(\d+),v1=(\w+)$/.exec(String(request.headers['thaw-signature'])) ?? [];
      const right = createHmac('sha256', secret).update(`${at}.${body}`).digest('hex');
      received.push({ event: (JSON.parse(body) as { event: unknown }).event, isSigned: signature === right });
      response.end();
    });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}
