// npm run bench: makes a fresh clone ready, compiles the benchmark and runs it. `npm run bench -- --help`
import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import path from 'node:path';
import { bootstrap, root } from './bootstrap.mjs';

bootstrap();
const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const compiled = spawnSync(process.execPath, [tsc, '-p', path.join(root, 'bench', 'tsconfig.json')], {
  stdio: ['ignore', 2, 2],
});
process.exitCode = compiled.status === 0 ? await bench() : 1;

/** Runs the benchmark and gives its exit code. */
function bench() {
  const child = spawn(process.execPath, [path.join(root, 'dist/bench/run.js'), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}
