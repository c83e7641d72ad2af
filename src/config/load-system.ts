import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ThawError } from '../contract/thaw-error.ts';
import { configError } from './config-error.ts';
import { parseYaml } from './parse-yaml.ts';
import { substituteTree } from './substitute.ts';
import { type SystemConfig, systemFile } from './system.ts';
import type { ThawConfig } from './thaw-config.ts';

/** A system as configured. */
export interface LoadedSystem {
  /** The file, absolute. */
  readonly file: string;
  readonly system: SystemConfig;
}

/** Where `system.yaml` is: what `--system` says, `THAW_SYSTEM`, or beside `config.yaml`. */
export function systemPath({ path, systemFile: named }: ThawConfig, env: NodeJS.ProcessEnv): string {
  const told = named || env.THAW_SYSTEM;
  return told ? resolve(told) : join(path.includes('/') ? dirname(path) : resolve('.'), 'system.yaml');
}

/**
 * Reads and validates `system.yaml`.
 *
 * @throws ThawError `ConfigInvalid` with a line `field: reason (got value)` for each thing wrong
 */
export async function loadSystems(config: ThawConfig, env: NodeJS.ProcessEnv): Promise<LoadedSystem[]> {
  const file = systemPath(config, env);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
    throw new ThawError('ConfigInvalid', `${file}: cannot be read (${code})`, {
      object: file,
      hint: 'Name the file that describes the system with --system or THAW_SYSTEM, or put it beside config.yaml.',
      cause,
    });
  }
  return parseSystems(text, file, env).map((system) => ({ file, system }));
}

/**
 * Validates the text of a `system.yaml`.
 *
 * @param file what messages name it
 */
export function parseSystems(text: string, file: string, env: NodeJS.ProcessEnv): readonly SystemConfig[] {
  const tree = parseYaml(text, file);
  const result = systemFile.safeParse(substituteTree(tree, env, isForShell));
  if (!result.success) throw configError(file, tree, result.error.issues);
  return result.data.systems;
}

/**
 * The system of that name.
 *
 * @param name null: the only one
 * @throws ThawError `InputInvalid` naming those that there are
 */
export function findSystem(systems: readonly LoadedSystem[], name: string | null): LoadedSystem {
  const found = name === null ? (systems.length === 1 ? systems[0] : undefined) : byName(systems, name);
  if (found) return found;
  throw new ThawError(
    'InputInvalid',
    name === null ? 'no system is named, and there are several' : `system "${name}" is not configured`,
    {
      object: name ?? 'system',
      hint: `Name one of ${systems.map(({ system }) => system.name).join(', ')}, or describe it in system.yaml.`,
    },
  );
}

/**
 * What a system consists of, as 16 hex digits: a request carries it, and a worker whose own is another one refuses it.
 * Commands and URLs are not in it, so that they may be mended while a restore waits for that.
 */
export function systemFingerprint(system: SystemConfig): string {
  const identity = [
    system.name,
    system.databases.map(({ service, dump, before, after }) => [service, dump, before ?? null, after]),
    [system.stop, system.start, system.health, system.log_commands, system.notify].map(
      ({ length }) => length,
    ),
  ];
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 16);
}

function byName(systems: readonly LoadedSystem[], name: string): LoadedSystem | undefined {
  return systems.find(({ system }) => system.name === name);
}

/** Commands for the shell keep their `${VAR}`: it knows the variables of the worker itself. */
function isForShell(path: readonly (string | number)[]): boolean {
  const at = path.findIndex((step) => step === 'stop' || step === 'start' || step === 'log_commands');
  const [, , ...within] = at < 0 ? [null, null, 'elsewhere'] : path.slice(at);
  return within.length === 0 || (within.length === 1 && within[0] === 'run');
}
