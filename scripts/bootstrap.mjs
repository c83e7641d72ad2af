// What must happen before anything else can: the right Node, the packages, the build. Node built-ins only.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the project. */
export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** Makes a fresh clone ready to run; says what it does, and nothing when there is nothing to do. */
export function bootstrap() {
  checkNode();
  if (!packagesInstalled()) {
    say('installing packages (npm ci)');
    // The packages' own scripts are not needed: what they would do, the stack does itself.
    npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
  }
  say('building');
  npm(['run', '--silent', 'build']);
}

/** Says what is being done. On stderr: stdout belongs to what comes after. */
export function say(line) {
  process.stderr.write(`> ${line}\n`);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  say(`Thaw needs Node 20.19 or newer; this is ${process.versions.node} (${process.execPath})`);
  process.exit(1);
}

/**
 * Compares package-lock.json with the record that npm writes into node_modules at the end of an
 * installation: an interrupted one has none, and one of another lock file has other versions.
 */
function packagesInstalled() {
  const record = path.join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  const { packages: installed } = JSON.parse(readFileSync(record, 'utf8'));
  const { packages: wanted } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  return Object.entries(wanted).every(([name, { version, optional }]) => {
    if (name === '') return true;
    return installed[name] === undefined ? optional === true : installed[name].version === version;
  });
}

/** Runs npm, the one that runs this script where there is one, and ends this process when it fails. */
function npm(args) {
  const cli = process.env.npm_execpath;
  const [command, first] = cli?.endsWith('.js') ? [process.execPath, [cli]] : ['npm', []];
  const { status, error } = spawnSync(command, [...first, ...args], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status === 0) return;
  say(error ? `npm cannot be run: ${error.message}` : `npm ${args.join(' ')} failed`);
  process.exit(1);
}
