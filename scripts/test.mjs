// npm test: makes a fresh clone ready, runs every test, and ends with the line "N passed, N failed".
// Arguments go to Vitest: npm test -- --project pure, npm test -- test/archive
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import path from 'node:path';
import { bootstrap, root, say } from './bootstrap.mjs';

bootstrap();
const folder = mkdtempSync(path.join(tmpdir(), 'thaw-report-'));
const report = path.join(folder, 'report.json');
const exitCode = await vitest(report);
const { passed, failed, skipped } = counts(report, exitCode);
rmSync(folder, { recursive: true });
process.stdout.write(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
process.exitCode = failed > 0 ? 1 : 0;

/** Runs Vitest and gives its exit code. */
function vitest(output) {
  say('testing');
  const cli = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const secondTries = path.join(root, 'scripts', 'second-tries.mjs');
  const reporters = ['default', 'json', secondTries].map((name) => `--reporter=${name}`);
  const child = spawn(
    process.execPath,
    [cli, 'run', ...reporters, `--outputFile.json=${output}`, ...process.argv.slice(2)],
    {
      cwd: root,
      stdio: 'inherit',
    },
  );
  // Ctrl-C reaches the child by itself; a signal to this process alone does not.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  // And a signal to npm alone ends only npm and its shell.
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), 500).unref();
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}

/** Tests by result. A file that could not be run, or a run that broke, counts as one failed test. */
function counts(file, exitCode) {
  const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
  const results = report?.testResults ?? [];
  const tests = results.flatMap((result) => result.assertionResults);
  const broken = results.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  const passed = tests.filter((test) => test.status === 'passed').length;
  const failed = tests.filter((test) => test.status === 'failed').length + broken.length;
  const runBroke = exitCode !== 0 && failed === 0;
  if (runBroke) say(`the run itself failed (exit code ${exitCode})`);
  return { passed, failed: runBroke ? 1 : failed, skipped: tests.length - passed - failed + broken.length };
}
