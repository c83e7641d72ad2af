import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readService } from '../../src/dump/service/service-environment.ts';
import { serviceVariables } from '../../src/dump/service/service-variables.ts';
import { readDocument, tableRows } from './markdown.ts';

const root = path.join(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

test('the table of variables is the definition that they are read by', () => {
  const rows = serviceVariables.map(({ name, alias, mode, fallback, says }) => [
    alias === undefined ? `\`${name}\`` : `\`${name}\`, \`${alias}\``,
    mode ?? 'both',
    fallback === null ? 'required' : fallback === '' ? '' : `\`${fallback}\``,
    says,
  ]);
  expect(tableRows(readDocument('docs/service.md'), 'variable')).toEqual(rows);
});

test('the image has the client programs of a version that is chosen, and the Temporal CLI', () => {
  const dockerfile = read('Dockerfile').replaceAll(/\\\n\s*/g, '');
  const [build = '', image = ''] = dockerfile.split(/^FROM /m).slice(1);
  expect(dockerfile).toMatch(/^ARG NODE_VERSION=20\.\d+\.\d+\nFROM node:\$\{NODE_VERSION\}-bookworm-slim/m);
  expect(image).toMatch(/^node:\$\{NODE_VERSION\}-bookworm-slim\n/);
  expect(image).toMatch(/^ARG PG_VERSION=16$/m);
  expect(image).toMatch(/apt-get install --yes --no-install-recommends postgresql-client-\$\{PG_VERSION\} /);
  expect(image).toMatch(/^ENV PG_BIN=\/usr\/lib\/postgresql\/\$\{PG_VERSION\}\/bin$/m);
  expect(build).toContain(`import { obtainTool } from '/thaw/dist/src/stack/tool.js'`);
  expect(image).toMatch(/^COPY --from=build \/usr\/local\/bin\/temporal \/usr\/local\/bin\/temporal$/m);
  expect(image).toMatch(/^ENV THAW_STATE_DIR=(\S+)\nVOLUME \1$/m);
  expect(image).toMatch(/^ENTRYPOINT \["thaw"\]\nCMD \["service"\]$/m);
});

test('the service of docker-compose.yml can start as it is configured', () => {
  const { services } = parse(read('docker-compose.yml'), { merge: true });
  expect(services.backup).toMatchObject({ command: ['service'], profiles: ['backup'] });
  const set: Readonly<Record<string, string>> = { THAW_DATABASE_PASSWORD: 'p', AWS_ACCESS_KEY_ID: 'a' };
  const env = Object.fromEntries(
    Object.entries<string>(services.backup.environment).map(([name, text]) => [
      name,
      text.replaceAll(
        /\$\{(\w+)(?::-([^}]*))?(?::\?[^}]*)?\}/g,
        (_, variable, fallback) => fallback ?? set[variable] ?? 'set',
      ),
    ]),
  );
  expect(readService(env)).toMatchObject({
    mode: 'backup',
    service: {
      connection: { host: 'postgres', name: 'production_db', password: { secret: 'p' } },
      dumps: { bucket: 'thaw', prefix: 'backups', endpoint: 'http://s3:7070', pathStyle: true },
    },
    times: { cron: '0 5 * * *' },
  });
});
