import { expect, test } from 'vitest';
import { findSystem, parseSystems, systemFingerprint, systemPath } from '../../src/config/load-system.ts';
import type { ThawConfig } from '../../src/config/thaw-config.ts';
import { ThawError } from '../../src/contract/thaw-error.ts';
import { codeBlocks, readDocument } from '../docs/markdown.ts';

const read = (text: string, env: NodeJS.ProcessEnv = {}) => parseSystems(text, '/etc/system.yaml', env);

const opareta = `
name: opareta
checklist: [Notify stakeholders]
contacts: ['On-Call Engineer: see the rotation']
databases:
  - { service: argus, rto: 30m, rpo: 24h }
  - { service: hermes, dump: hermes_20231201_020000.sql.gz, after: [argus], checks: [select true] }
stop:
  - docker compose stop argus-1 \${SERVICE}
  - [docker, stop, '\${SERVICE}']
  - { name: pager, url: 'https://\${HOST}/silence', method: GET, timeout: 10s }
start: [{ run: docker compose up -d, timeout: 2m }]
health: [http://localhost:3001/api/health, { url: http://localhost:3003/api/health, timeout: 30s }]
log_commands: [docker logs opareta-argus-1 --tail 100]
log_errors: ['ECONNREFUSED|connection refused']
notify: [{ url: https://hooks.example.org/thaw, secret_env: HOOK_SECRET }]
wait_for_operator: 30m
`;

test('a system of a file has its defaults, times in seconds, and variables where no shell reads them', () => {
  const [system] = read(opareta, { SERVICE: 'argus-2', HOST: 'pager' });
  expect(system).toMatchObject({
    ...{ name: 'opareta', wait_for_operator: 1800, keep_old: 86_400, shell: ['/bin/sh', '-c'] },
    databases: [
      { service: 'argus', dump: 'latest', rto: 1800, rpo: 86_400, after: [], checks: [] },
      { service: 'hermes', dump: 'hermes_20231201_020000.sql.gz', after: ['argus'], checks: ['select true'] },
    ],
    stop: [
      { run: `docker compose stop argus-1 \${SERVICE}`, timeout: 300 },
      { run: ['docker', 'stop', 'argus-2'] },
      { name: 'pager', url: 'https://pager/silence', method: 'GET', timeout: 10 },
    ],
    health: [{ timeout: 120 }, { timeout: 30 }],
  });
});

test('every fault of system.yaml is told at once, by its place', () => {
  const fault = () =>
    read(`
systems:
  - name: a
    databases:
      - { service: argus, after: [hermes, zeus], rto: soon }
      - { service: hermes, after: [argus], dump: x.sql.gz, before: 2023-12-01T00:00Z }
      - { service: hermes }
    stop: [{ name: nothing }]
    log_errors: ['(']
    keep_old: 5m
    color: red
`);
  expect(fault).toThrow(ThawError);
  try {
    fault();
  } catch (error) {
    const lines = error instanceof ThawError ? error.message.split('\n') : [];
    expect(lines).toEqual([
      'systems[0].databases[0].rto: must be a time such as 90s, 30m, 24h or 7d (got "soon")',
      'systems[0].databases[1].before: cannot be set where a dump is named (got "2023-12-01T00:00Z")',
      'systems[0].stop[0].run: or url must be set, and only one of them',
      'systems[0].log_errors[0]: must be a regular expression (got "(")',
      'systems[0].keep_old: must be at least 1h (got "5m")',
      'systems[0]: has no setting color (got a mapping)',
      'systems[0].databases[0].after[1]: is no service of this system (got "zeus")',
      'systems[0].databases[2].service: is there twice (got "hermes")',
      'systems[0].log_commands: is required by log_errors',
    ]);
  }
  const after = (first: string, second: string) => () =>
    read(
      `{ name: a, databases: [{ service: argus, after: [${first}] }, { service: hermes, after: [${second}] }] }`,
    );
  expect(after('hermes', 'argus')).toThrow('lead in a circle: argus after hermes after argus');
});

test('a system is found by its name, or as the only one, and its commands may be mended', () => {
  const env = { SERVICE: '', HOST: 'a' };
  const [system] = read(opareta, env);
  if (system === undefined) throw new Error('there is no system');
  const loaded = { file: '/etc/system.yaml', system };
  expect(findSystem([loaded], null)).toBe(loaded);
  expect(() => findSystem([loaded], 'other')).toThrow('system "other" is not configured');
  const [mended] = read(opareta.replace('up -d', 'start'), env);
  expect(mended && systemFingerprint(mended)).toBe(systemFingerprint(system));
  const [another] = read(opareta.replace('after: [argus], ', ''), env);
  expect(another && systemFingerprint(another)).not.toBe(systemFingerprint(system));
});

test('system.yaml lies where the flag says, THAW_SYSTEM, or beside config.yaml', () => {
  const config = { path: '/etc/thaw/config.yaml' } as ThawConfig;
  expect(systemPath(config, {})).toBe('/etc/thaw/system.yaml');
  expect(systemPath(config, { THAW_SYSTEM: '/a.yaml' })).toBe('/a.yaml');
  expect(systemPath({ ...config, systemFile: '/b.yaml' }, { THAW_SYSTEM: '/a.yaml' })).toBe('/b.yaml');
});

test('the systems of runbook and example can be read', () => {
  const [described] = codeBlocks(readDocument('docs/runbook.md')).filter(
    ({ language }) => language === 'yaml',
  );
  const [runbook] = read(described?.text ?? '');
  const [example] = read(readDocument('examples/two-services/system.yaml'));
  for (const system of [runbook, example]) {
    expect(system).toMatchObject({
      name: 'opareta',
      databases: ['argus', 'hermes'].map((service) => ({ service, rto: 1800, rpo: 86_400 })),
    });
  }
});
