import { execFile, spawn } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { ThawError } from '../contract/thaw-error.ts';
import type { ObtainOptions } from './tool.ts';
import type { ToolSource } from './tool-source.ts';

/** Both tools say `go 1.25.0` in their go.mod. */
const goVersion = { major: 1, minor: 25 };

/**
 * Builds the pinned version of a tool with `go install` into the folder `work` and gives the path of the
 * executable.
 *
 * Errors: `ConfigInvalid` when there is no Go, an older one that may not fetch a newer, or the build
 * fails; `why` tells why the download before it did not work.
 */
export async function buildTool(
  source: ToolSource,
  work: string,
  options: ObtainOptions,
  why: string,
): Promise<string> {
  const found = await goReport();
  const obstacle = goObstacle(found);
  if (obstacle !== null) throw missing(source, why, obstacle);
  const started = Date.now();
  const say = () =>
    options.log(
      `building ${source.title} ${source.version} with ${found?.version} (${Math.round((Date.now() - started) / 1000)} s; once per machine, up to 5 minutes)`,
    );
  say();
  const timer = setInterval(say, 15_000);
  try {
    await goInstall(source, work, options.signal);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw missing(source, why, error instanceof Error ? error.message : String(error));
  } finally {
    clearInterval(timer);
  }
  return path.join(work, source.name);
}

/** What `go env` says; null without Go. */
async function goReport(): Promise<{ version: string; toolchain: string } | null> {
  try {
    const { stdout } = await promisify(execFile)('go', ['env', 'GOVERSION', 'GOTOOLCHAIN']);
    const [version = '', toolchain = ''] = stdout.trim().split('\n');
    return { version, toolchain };
  } catch {
    return null;
  }
}

/** Why this Go cannot build the tools; null when it can, maybe by fetching a newer one itself. */
function goObstacle(found: { version: string; toolchain: string } | null): string | null {
  if (found === null) return 'there is no `go` on PATH';
  const [, major = 0, minor = 0] = (/go(\d+)\.(\d+)/.exec(found.version) ?? []).map(Number);
  const recent = major > goVersion.major || (major === goVersion.major && minor >= goVersion.minor);
  if (recent || (minor >= 21 && !found.toolchain.startsWith('local'))) return null;
  return `${found.version} is older than the go${goVersion.major}.${goVersion.minor} that it needs`;
}

function goInstall(source: ToolSource, work: string, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('go', ['install', source.goPackage], {
      cwd: work,
      // GOFLAGS of the machine may ask for a vendor folder, and GOOS or GOARCH for another machine.
      env: {
        ...process.env,
        GOBIN: work,
        CGO_ENABLED: '0',
        GOFLAGS: '',
        GOOS: '',
        GOARCH: '',
        GOWORK: 'off',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(signal === undefined ? {} : { signal }),
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2_000);
    });
    child.once('error', reject);
    child.once('close', (code, killed) => {
      if (code === 0) resolve();
      else reject(new Error(`go install failed (${killed ?? `exit code ${code}`}): ${said.trim()}`));
    });
  });
}

function missing(source: ToolSource, download: string, build: string): ThawError {
  return new ThawError(
    'ConfigInvalid',
    `${source.title} ${source.version} cannot be had: no download (${download}), and no build: ${build}`,
    {
      object: source.name,
      hint:
        `Do one of these: set ${source.variable} to an executable; put ${source.name} on PATH; allow the download; ` +
        `install Go ${goVersion.major}.${goVersion.minor} or newer (https://go.dev/dl) and run again.`,
    },
  );
}
