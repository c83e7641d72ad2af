import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { formatMark, markOfThisProcess } from '../../src/stack/process-identity.ts';
import { obtainTool } from '../../src/stack/tool.ts';

let folder: string;
let lines: string[];
const log = (line: string) => {
  lines.push(line);
};
const cacheOf = (name: string) => path.join(folder, 'cache', 'thaw', name);

function script(file: string, body: string): string {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${body}\n`);
  chmodSync(file, 0o755);
  return file;
}

/** A `go` that tells its version, counts its runs, waits for `release`, then makes `result`. */
function fakeGo(version: string, result: string): void {
  script(
    path.join(folder, 'bin', 'go'),
    `if [ "$1" = env ]; then echo ${version}; echo local; exit 0; fi
echo "$2" >> "${folder}/builds"
while [ ! -e "${folder}/release" ]; do sleep 0.02; done
${result}`,
  );
}

const makesTemporal = `printf '#!/bin/sh\\necho built\\n' > "$GOBIN/temporal"; chmod +x "$GOBIN/temporal"`;
const release = () => writeFileSync(path.join(folder, 'release'), '');
const builds = () =>
  existsSync(path.join(folder, 'builds')) ? readFileSync(path.join(folder, 'builds'), 'utf8') : '';

beforeEach(() => {
  folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'thaw tool ')));
  mkdirSync(path.join(folder, 'bin'));
  lines = [];
  vi.stubEnv('XDG_CACHE_HOME', path.join(folder, 'cache'));
  vi.stubEnv('PATH', `${path.join(folder, 'bin')}:/usr/bin:/bin`);
  vi.stubEnv('THAW_TEMPORAL_CLI', '');
  vi.stubEnv('THAW_VERSITYGW', '');
  vi.stubGlobal('fetch', () =>
    Promise.reject(new TypeError('fetch failed', { cause: new Error('no network') })),
  );
});

afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  rmSync(folder, { recursive: true });
});

describe('the environment variable', () => {
  test('comes before everything else', async () => {
    const mine = script(path.join(folder, 'mine'), 'echo mine');
    script(path.join(folder, 'bin', 'temporal'), 'echo "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)"');
    vi.stubEnv('THAW_TEMPORAL_CLI', mine);
    expect(await obtainTool('temporal', { log })).toBe(mine);
  });

  test('is an error when it names no executable', async () => {
    writeFileSync(path.join(folder, 'plain'), '');
    vi.stubEnv('THAW_VERSITYGW', path.join(folder, 'plain'));
    await expect(obtainTool('versitygw', { log })).rejects.toMatchObject({
      code: 'ConfigInvalid',
      message: expect.stringContaining('THAW_VERSITYGW: no executable file'),
    });
  });
});

describe('PATH', () => {
  test.each([
    ['the pinned version', '1.5.1 (Server 1.29.1, UI 2.42.1)', true],
    ['a newer version', '1.8.2 (Server 1.31.2, UI 2.50.1)', true],
    ['an older version', '1.1.0 (Server 1.25.0, UI 2.30.3)', false],
    ['another major version', '2.0.0 (Server 2.0.0, UI 3.0.0)', false],
    ['no version', 'unknown', false],
  ])('with %s of the Temporal CLI', async (_, version, accepted) => {
    const found = script(path.join(folder, 'bin', 'temporal'), `echo "temporal version ${version}"`);
    const cached = script(path.join(cacheOf('temporal-1.5.1'), 'temporal'), 'echo cached');
    expect(await obtainTool('temporal', { log })).toBe(accepted ? found : cached);
    expect(lines.some((line) => line.includes('it is not used'))).toBe(!accepted);
  });
});

describe('a build', () => {
  test('fills the cache, and is done only once by two at the same time', async () => {
    fakeGo('go1.26.8', makesTemporal);
    const both = [obtainTool('temporal', { log }), obtainTool('temporal', { log })];
    await vi.waitFor(
      () => expect(lines.some((line) => line.startsWith('waiting for process'))).toBe(true),
      10_000,
    );
    release();
    const file = path.join(cacheOf('temporal-1.5.1'), 'temporal');
    expect(await Promise.all(both)).toEqual([file, file]);
    expect(builds()).toBe('github.com/temporalio/cli/cmd/temporal@v1.5.1\n');
    expect(execFileSync(file, { encoding: 'utf8' })).toBe('built\n');
    expect(await obtainTool('temporal', { log })).toBe(file);
    expect(builds().split('\n')).toHaveLength(2);
    expect(readdirSync(path.join(folder, 'cache', 'thaw'))).toEqual(['temporal-1.5.1']);
  });

  test('goes on when the one who held the lock is dead', async () => {
    fakeGo('go1.26.8', makesTemporal);
    release();
    mkdirSync(path.join(folder, 'cache', 'thaw'), { recursive: true });
    const dead = formatMark({ ...markOfThisProcess(), startedAt: 'long ago' });
    symlinkSync(dead, `${cacheOf('temporal-1.5.1')}.lock`);
    await obtainTool('temporal', { log });
    expect(lines.filter((line) => line.startsWith('waiting'))).toEqual([]);
  });

  test('that fails halfway leaves nothing that could be used', async () => {
    fakeGo('go1.26.8', `${makesTemporal}; echo "no space left" >&2; exit 1`);
    release();
    await expect(obtainTool('temporal', { log })).rejects.toMatchObject({
      code: 'ConfigInvalid',
      message: expect.stringMatching(/no download \(no network\).*no space left/s),
      hint: expect.stringContaining('THAW_TEMPORAL_CLI'),
    });
    expect(readdirSync(path.join(folder, 'cache', 'thaw'))).toEqual([]);
  });

  test('is not begun with a Go that is too old', async () => {
    fakeGo('go1.24.4', makesTemporal);
    release();
    await expect(obtainTool('temporal', { log })).rejects.toThrow('go1.24.4 is older than the go1.25');
    expect(builds()).toBe('');
  });

  test('without any Go says what is missing', async () => {
    vi.stubEnv('PATH', path.join(folder, 'bin'));
    await expect(obtainTool('versitygw', { log })).rejects.toThrow('there is no `go` on PATH');
  });

  test('is broken off by the signal', async () => {
    fakeGo('go1.26.8', makesTemporal);
    const stop = new AbortController();
    const obtained = obtainTool('temporal', { log, signal: stop.signal });
    await vi.waitFor(() => expect(builds()).not.toBe(''), 10_000);
    stop.abort(new Error('enough'));
    await expect(obtained).rejects.toThrow('enough');
    expect(readdirSync(path.join(folder, 'cache', 'thaw'))).toEqual([]);
  });
});

describe('a download', () => {
  const serve = (reports: string) => {
    script(path.join(folder, 'pack', 'some folder', 'temporal'), `echo "${reports}"`);
    const archive = execFileSync('tar', ['-czf', '-', '-C', path.join(folder, 'pack'), '.']);
    vi.stubGlobal('fetch', async (url: string) =>
      url.startsWith('https://temporal.download/cli/v1.5.1?')
        ? Response.json({ archiveUrl: 'https://example.test/temporal.tar.gz', fileToExtract: 'temporal' })
        : new Response(archive),
    );
  };

  test('is unpacked into the cache', async () => {
    serve('temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)');
    const file = await obtainTool('temporal', { log });
    expect(file).toBe(path.join(cacheOf('temporal-1.5.1'), 'temporal'));
    expect(execFileSync(file, { encoding: 'utf8' })).toContain('Server 1.29.1');
  });

  test('that brings another version is not used', async () => {
    serve('temporal version 1.0.0 (Server 1.24.0, UI 2.0.0)');
    fakeGo('go1.26.8', makesTemporal);
    release();
    const file = await obtainTool('temporal', { log });
    expect(execFileSync(file, { encoding: 'utf8' })).toBe('built\n');
    expect(lines.some((line) => line.includes('what came is version 1.24.0'))).toBe(true);
  });
});
