import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { promisify } from 'node:util';
import type { ObtainOptions } from './tool.ts';
import type { ToolSource } from './tool-source.ts';
import { reportedVersion } from './tool-version.ts';

/** Without network it must fail soon, because building is still to come. */
const connectTimeoutMs = 5_000;
const downloadTimeoutMs = 300_000;

/**
 * Downloads a tool into the folder `work` and gives the path of its executable, which ran and said the
 * pinned version. Any error means that it cannot be had this way.
 */
export async function downloadTool(
  source: ToolSource,
  work: string,
  options: ObtainOptions,
): Promise<string> {
  const { platform, architecture } = goPlatform();
  options.log(`looking for a download of ${source.title} ${source.version}`);
  const first = signals(options.signal, connectTimeoutMs);
  const url = await reasoned(source.archiveUrl(platform, architecture, first));
  const answer = await reasoned(open(url, options.signal));
  options.log(`downloading ${url}`);
  const archive = path.join(work, 'archive.tar.gz');
  await pipeline(Readable.fromWeb(answer as ReadableStream<Uint8Array>), createWriteStream(archive), {
    signal: signals(options.signal, downloadTimeoutMs),
  });
  await promisify(execFile)('tar', ['-xzf', archive, '-C', work]);
  const entries = await readdir(work, { recursive: true, withFileTypes: true });
  const found = entries.find((entry) => entry.isFile() && entry.name === source.name);
  if (found === undefined) throw new Error(`no ${source.name} in the archive`);
  const file = path.join(found.parentPath, found.name);
  const version = await reportedVersion(source, file);
  if (version !== source.reportsVersion) throw new Error(`what came is version ${version ?? 'unknown'}`);
  return file;
}

/** The names that Go has for this machine, and the archives with it. */
function goPlatform(): { platform: string; architecture: string } {
  return { platform: process.platform, architecture: process.arch === 'x64' ? 'amd64' : process.arch };
}

/** Opens a download; the limit is on the first answer only. */
async function open(url: string, signal: AbortSignal | undefined): Promise<NonNullable<Response['body']>> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new Error('no answer')), connectTimeoutMs);
  try {
    const answer = await fetch(url, { signal: AbortSignal.any([limit.signal, ...(signal ? [signal] : [])]) });
    if (!answer.ok || answer.body === null) throw new Error(`${new URL(url).host} answered ${answer.status}`);
    return answer.body;
  } finally {
    clearTimeout(timer);
  }
}

function signals(signal: AbortSignal | undefined, timeoutMs: number): AbortSignal {
  return AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]);
}

/** `fetch failed` says nothing; its cause does. */
async function reasoned<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw error instanceof Error && error.cause instanceof Error ? error.cause : error;
  }
}
