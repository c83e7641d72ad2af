// npm test: makes a fresh clone ready, runs every test, and ends with the line "N passed, N failed".
// Arguments go to Vitest: npm test -- --project pure, npm test -- test/archive
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import path from 'node:path';
import { bootstrap, root, say } from './bootstrap.mjs';

/** More files than these fail for a reason that a second try does not change. */
const mostTriedAgain = 3;

bootstrap();
const folder = mkdtempSync(path.join(tmpdir(), 'thaw-report-'));
const asked = process.argv.slice(2);
say('testing');
let run = await vitest(asked, 'report.json');
const again = worthTryingAgain(run);
if (asked.length === 0 && again.length > 0) run = withSecondTry(run, await tryAgain(again));
rmSync(folder, { recursive: true });
const { passed, failed, skipped } = counts(run);
process.stdout.write(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
process.exitCode = failed > 0 ? 1 : 0;

/** Runs Vitest and gives its exit code and what it reports of each file. */
async function vitest(args, name) {
  const output = path.join(folder, name);
  const cli = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const child = spawn(
    process.execPath,
    [cli, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${output}`, ...args],
    { cwd: root, stdio: 'inherit' },
  );
  // Ctrl-C reaches the child by itself; a signal to this process alone does not.
  const kill = () => child.kill('SIGTERM');
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, kill);
  // And a signal to npm alone ends only npm and its shell.
  const parent = process.ppid;
  const watch = setInterval(() => process.ppid !== parent && kill(), 500);
  const exitCode = await new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
  clearInterval(watch);
  for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, kill);
  const files = existsSync(output) ? JSON.parse(readFileSync(output, 'utf8')).testResults : [];
  return { exitCode, files };
}

/** The few files that failed of those that need servers: these may have answered late on a busy machine. */
function worthTryingAgain({ exitCode, files }) {
  const failed = files.filter(({ status }) => status === 'failed');
  const needServers = failed.every(({ name }) => /\.(pg|s3|temporal|fault|browser)\.test\.ts$/.test(name));
  return exitCode === 1 && needServers && failed.length <= mostTriedAgain ? failed : [];
}

/** Runs them once more, with servers and databases of their own; a test that needs it again and again has a fault. */
async function tryAgain(failed) {
  say('a second try, with nothing else running');
  const second = await vitest(
    failed.map(({ name }) => path.relative(root, name)),
    'second.json',
  );
  for (const { name, assertionResults } of failed) {
    const file = path.relative(root, name);
    if (second.files.find((other) => other.name === name)?.status !== 'passed') continue;
    const tests = assertionResults.filter(({ status }) => status === 'failed');
    for (const { fullName, failureMessages } of tests) {
      const why = failureMessages[0]?.split('\n')[0] ?? '';
      process.stdout.write(`passed on the second try: ${file} > ${fullName}: ${why}\n`);
    }
    if (tests.length === 0) process.stdout.write(`passed on the second try: ${file}\n`);
  }
  return second;
}

function withSecondTry(first, second) {
  const tried = new Map(second.files.map((file) => [file.name, file]));
  return { exitCode: second.exitCode, files: first.files.map((file) => tried.get(file.name) ?? file) };
}

/** Tests by result. A file that could not be run, or a run that broke, counts as one failed test. */
function counts({ exitCode, files }) {
  const tests = files.flatMap((file) => file.assertionResults);
  const broken = files.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  const passed = tests.filter((test) => test.status === 'passed').length;
  const failed = tests.filter((test) => test.status === 'failed').length + broken.length;
  const runBroke = exitCode !== 0 && failed === 0;
  if (runBroke) say(`the run itself failed (exit code ${exitCode})`);
  return { passed, failed: runBroke ? 1 : failed, skipped: tests.length - passed - failed + broken.length };
}
