import { dirname } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import type { HookConfig, SystemConfig } from '../../config/system.ts';
import type { HookKind } from '../../contract/system-request.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { ask, failureWord } from '../../http/ask.ts';
import { runProgram } from '../tools/run-program.ts';
import { checkUrl } from '../verify/check-url.ts';
import { withoutSecrets } from './without-secrets.ts';

/** What a hook is run with. */
export interface HookSetting {
  readonly system: SystemConfig;
  /** `system.yaml`, absolute: commands run in its folder. */
  readonly file: string;
  /** The whole environment of commands. Holds secrets. */
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** Characters of a line of a log that are looked at. */
const longestLine = 10_000;

/** Names of the hooks of a kind, in their order; nothing secret is in them. */
export function hookNames(system: SystemConfig, kind: HookKind): string[] {
  if (kind === 'health') return system.health.map(({ name, url }) => name ?? new URL(url).host);
  return hooksOf(system, kind).map((hook) => hook.name ?? usualName(hook));
}

/**
 * Does a hook: runs a command, calls a URL, waits until a URL answers, or reads a log.
 *
 * @throws ThawError `StepFailed` telling what went wrong, without secrets and lines of logs; the signal's reason
 */
export async function runHook(kind: HookKind, index: number, setting: HookSetting): Promise<void> {
  const { system, signal } = setting;
  const name = hookNames(system, kind)[index] ?? '';
  if (kind === 'health') {
    const url = system.health[index];
    if (url === undefined) throw missing(kind, index);
    const { outcome, detail } = await checkUrl({
      ...{ url: url.url, number: index + 1, seconds: url.timeout },
      signal,
    });
    if (outcome !== 'passed') throw failed(name, detail);
    return;
  }
  const hook = hooksOf(system, kind)[index];
  if (hook === undefined) throw missing(kind, index);
  const timeout = AbortSignal.timeout(hook.timeout * 1000);
  try {
    const limited = { ...setting, signal: AbortSignal.any([signal, timeout]) };
    if (hook.url !== undefined) await call(hook, name, limited);
    else await runCommand(hook, name, limited, kind === 'logs');
  } catch (error) {
    signal.throwIfAborted();
    if (timeout.aborted) throw failed(name, `It was not done within ${hook.timeout} s.`);
    throw error;
  }
}

function hooksOf(system: SystemConfig, kind: Exclude<HookKind, 'health'>): readonly HookConfig[] {
  return kind === 'logs' ? system.log_commands : system[kind];
}

/** The program, or the host: what follows may hold secrets. */
function usualName({ run, url }: HookConfig): string {
  if (url !== undefined) return new URL(url).host;
  const text = typeof run === 'string' ? run.trim().split(/\s/)[0] : run?.[0];
  return (text ?? '').includes('=') ? 'command' : (text ?? 'command');
}

async function call({ url = '', method }: HookConfig, name: string, { signal }: HookSetting): Promise<void> {
  let status: number;
  try {
    const answer = await ask(new URL(url), {
      method,
      headers: method === 'POST' ? { 'content-length': '0' } : {},
      idle: 2 ** 31 - 1,
      signal,
    });
    answer.destroy();
    status = answer.statusCode ?? 0;
  } catch (error) {
    signal.throwIfAborted();
    throw failed(name, `It cannot be reached: ${failureWord(error)}.`);
  }
  if (status < 200 || status >= 300) throw failed(name, `It answers ${status}.`);
}

async function runCommand(
  { run = [] }: HookConfig,
  name: string,
  { system, file, env, signal }: HookSetting,
  isLog: boolean,
): Promise<void> {
  const [program = '', ...args] = typeof run === 'string' ? [...system.shell, run] : run;
  const patterns = system.log_errors.map((source) => new RegExp(source));
  const matches = new Map<RegExp, number>();
  let last = '';
  const look = (line: string) => {
    if (line.trim() !== '') last = line.trim();
    const found = patterns.find((pattern) => pattern.test(line));
    if (isLog && found !== undefined) matches.set(found, (matches.get(found) ?? 0) + 1);
  };
  const end = await started(name, () =>
    runProgram({
      ...{ program, args, env, signal, cwd: dirname(file) },
      onMessage: look,
      ...(isLog ? { onOutput: (chunks) => readLines(chunks, look) } : {}),
    }),
  );
  if (end.code !== 0) {
    const how = end.code === null ? `by ${end.signal}` : `with code ${end.code}`;
    // A log may hold anything; what a command says of its own failure is what its operator needs.
    const said = isLog || last === '' ? '' : `: ${withoutSecrets(last, env).slice(0, 300)}`;
    throw failed(name, `It ended ${how}${said}`);
  }
  const [found] = matches;
  if (found === undefined) return;
  const [pattern, lines] = found;
  throw failed(name, `${lines} ${lines === 1 ? 'line matches' : 'lines match'} ${pattern.source}.`);
}

async function started<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ThawError) || error.code !== 'ConfigInvalid') throw error;
    throw failed(name, 'It cannot be run: there is no such program.', error);
  }
}

async function readLines(chunks: AsyncIterable<Buffer>, look: (line: string) => void): Promise<void> {
  const decoder = new StringDecoder('utf8');
  let line = '';
  for await (const chunk of chunks) {
    const [first = '', ...more] = decoder.write(chunk).split('\n');
    line = (line + first).slice(0, longestLine);
    for (const next of more) {
      look(line);
      line = next.slice(0, longestLine);
    }
  }
  if (line !== '') look(line);
}

function failed(name: string, what: string, cause?: unknown): ThawError {
  return new ThawError('StepFailed', what, { object: name, cause });
}

function missing(kind: HookKind, index: number): ThawError {
  return new ThawError('ConfigInvalid', `system.yaml has no ${kind} ${index + 1} any more.`, {
    object: 'system.yaml',
  });
}
