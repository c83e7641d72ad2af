import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseSystems } from '../../src/config/load-system.ts';
import type { HookKind } from '../../src/contract/system-request.ts';
import { hookNames, runHook } from '../../src/dump/system/hook.ts';

let server: Server;
const asked: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (request.url === '/slow') return;
    response.writeHead(request.url === '/bad' ? 500 : 204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const env = { PATH: process.env.PATH, SECRET_TOKEN: 'hunter2hunter2' };

function run(kind: HookKind, yaml: string, signal = new AbortController().signal) {
  const [system] = parseSystems(`{ name: a, databases: [{ service: argus }], ${yaml} }`, 'system.yaml', env);
  if (system === undefined) throw new Error('there is no system');
  return runHook(kind, 0, { system, file: `${import.meta.dirname}/system.yaml`, env, signal });
}

const url = (path: string) => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;

test('commands run in the folder of system.yaml, by a shell or without one', async () => {
  await run('stop', 'stop: [\'test -f hook.test.ts && test "$SECRET_TOKEN" = hunter2hunter2\']');
  await run('stop', 'stop: [[test, -f, hook.test.ts]]');
  await run('stop', "shell: [sh, -e, -c], stop: ['true']");
  await expect(run('stop', "shell: [sh, -e, -c], stop: ['false; true']")).rejects.toThrow(
    'It ended with code 1',
  );
  await expect(run('stop', 'stop: [[test, -f, "hook.test.ts; true"]]')).rejects.toThrow(
    'It ended with code 1',
  );
});

test('a command that fails tells code and last line without secrets; one that hangs is ended', async () => {
  const command = (text: string) => run('start', `start: ['${text}']`);
  await expect(command('echo first >&2; echo no $SECRET_TOKEN at http://u:p@h/ >&2; exit 3')).rejects.toThrow(
    /^It ended with code 3: no \*\*\* at http:\/\/\*\*\*@h\/$/,
  );
  await expect(run('start', 'start: [[no-such-program]]')).rejects.toMatchObject({
    ...{ code: 'StepFailed', message: 'It cannot be run: there is no such program.' },
  });
  await expect(run('start', 'start: [{ run: sleep 60, timeout: 1s }]')).rejects.toThrow(
    'It was not done within 1 s.',
  );
  const stopped = AbortSignal.abort(new Error('cancelled'));
  await expect(run('start', 'start: [sleep 60]', stopped)).rejects.toThrow('cancelled');
});

test('a hook of a URL succeeds by its status, and is not asked for longer than its time', async () => {
  await run('stop', `stop: [{ url: '${url('/quiet')}' }]`);
  await run('stop', `stop: [{ url: '${url('/quiet')}', method: GET }]`);
  expect(asked).toEqual(['POST /quiet', 'GET /quiet']);
  await expect(run('stop', `stop: [{ url: '${url('/bad')}' }]`)).rejects.toThrow('It answers 500.');
  await expect(run('stop', `stop: [{ url: '${url('/slow')}', timeout: 1s }]`)).rejects.toThrow(
    'It was not done within 1 s.',
  );
  await run('health', `health: ['${url('/')}']`);
  await expect(run('health', `health: [{ url: '${url('/bad')}', timeout: 1s }]`)).rejects.toThrow(
    'It answers 500',
  );
});

test('lines of a log that match are counted, and not told', async () => {
  const log = (text: string) =>
    run('logs', `log_commands: ["printf '${text}'"], log_errors: ['^ERROR', ECONNREFUSED]`);
  await log('fine\\\\nno ERROR here\\\\n');
  await expect(log('ERROR a row\\\\nfine\\\\nERROR b')).rejects.toThrow(/^2 lines match \^ERROR\.$/);
  await expect(run('logs', "log_commands: ['echo a row >&2; exit 2'], log_errors: [x]")).rejects.toThrow(
    /^It ended with code 2$/,
  );
});

test('a hook is called by its name, else by program or host, where no secret stands', () => {
  const yaml = `{ name: a, databases: [{ service: argus }], stop: [
    'PGPASSWORD=x psql', docker compose stop, [docker, stop], { url: 'https://u:p@h/x?key=1' }, { name: n, run: 'true' }] }`;
  const [system] = parseSystems(yaml, 'system.yaml', {});
  expect(system && hookNames(system, 'stop')).toEqual(['command', 'docker', 'docker', 'h', 'n']);
});
