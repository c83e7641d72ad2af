import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { from as copyFrom } from 'pg-copy-streams';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { thawHere } from '../cli/thaw-here.ts';
import { expectEqualTable, expectedCsv, loadSchema } from '../harness/fixture.ts';
import { createTestThaw, type TestThaw } from '../harness/thaw.ts';
import { codeBlocks, readDocument } from './markdown.ts';
import { shellWords, wholeLines } from './shell-words.ts';

const run = promisify(execFile);
const main = path.join(import.meta.dirname, '../../dist/src/cli/main.js');
const document = readDocument('docs/restore-guide.md');
/** Stands in the document for the id of a restore. */
const someRestore = '20260301-091240-5c1f0e';

/** Files that share the process find it where it was. */
const home = process.cwd();
let thaw: TestThaw;
let folder: string;

beforeAll(async () => {
  thaw = await createTestThaw('guide');
  await loadSchema(thaw.pg, 'audit-logs');
  await thaw.bucket.putFixture('audit-logs', undefined, thaw.database.name);
  folder = await mkdtemp(path.join(tmpdir(), 'thaw-guide-'));
  await writeFile(path.join(folder, 'config.yaml'), thaw.configText);
  process.chdir(folder);
});

afterAll(async () => {
  process.chdir(home);
  await thaw?.close();
  await rm(folder, { recursive: true, force: true });
});

/** The text of a block as it is for the database of the test. */
async function inPlace(text: string): Promise<string> {
  const named = text.replaceAll('production_db', thaw.database.name);
  if (!named.includes(someRestore)) return named;
  const { rows } = await thaw.pg.query<{ id: string }>(
    'select restore_id as id from thaw.restores order by created_at limit 1',
  );
  return named.replaceAll(someRestore, rows[0]?.id ?? '');
}

/** Runs a block as whoever copies it would; one that does not end with 0 throws, with what it printed. */
async function runBash(text: string): Promise<string> {
  const { TEMPORAL_NAMESPACE: _, THAW_CONFIG: __, ...rest } = process.env;
  const { address: TEMPORAL_ADDRESS, taskQueue: THAW_TASK_QUEUE } = thaw.temporal;
  const env = { ...rest, TEMPORAL_ADDRESS, THAW_TASK_QUEUE };
  const commands = wholeLines(text.trimEnd());
  if (!commands.every((line) => line.startsWith('thaw '))) {
    const shell = `thaw() { '${process.execPath}' '${main}' "$@"; }\n${text}`;
    return (await run('bash', ['-euo', 'pipefail', '-c', shell], { cwd: folder, env })).stdout;
  }
  // What needs no shell takes a tenth of the time here.
  let printed = '';
  for (const line of commands) {
    const { exitCode, stdout, stderr } = await thawHere(shellWords(line).slice(1), env);
    expect({ line, exitCode, stderr }).toMatchObject({ line, exitCode: 0 });
    printed += stdout;
  }
  return printed;
}

/** Runs a block as psql would, which reads the file of a `\copy` itself. */
async function runSql(text: string): Promise<void> {
  for (const statement of text.split(/(?<=;)\n|\n(?=\\copy)|(?<=\))\n(?=select)/)) {
    const [, target = '', file = '', options = ''] =
      /^\\copy (\w+) from '([^']+)' (.*)$/.exec(statement) ?? [];
    if (file === '') await thaw.pg.query(statement);
    else {
      const copy = thaw.pg.query(copyFrom(`copy ${target} from stdin ${options}`));
      await pipeline(createReadStream(path.join(folder, file)), copy);
    }
  }
}

test('every command of the document does its work, and prints what stands beside it', {
  timeout: 240_000,
}, async () => {
  const blocks = codeBlocks(document);
  let printed = '';
  for (const { language, text } of blocks) {
    if (language === 'bash') printed = await runBash(await inPlace(text));
    if (language === 'sql') await runSql(text);
    if (language === 'text') expect(printed).toContain(text);
  }
  expect(blocks.filter(({ language }) => language === 'bash').length).toBeGreaterThan(15);
  await expectEqualTable(thaw.pg, 'public.audit_logs', expectedCsv('audit-logs', 'public.audit_logs'));
});
