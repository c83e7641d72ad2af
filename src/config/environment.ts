import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { ThawError } from '../contract/thaw-error.ts';

/** The environment variables that Thaw reads for itself, for help and documentation. */
export const environmentVariables = {
  THAW_CONFIG: 'The configuration file.',
  THAW_STATE_DIR: 'Where the Temporal server of `thaw restore` keeps its state.',
  THAW_TASK_QUEUE: 'Task queue that workers listen on.',
  TEMPORAL_ADDRESS: 'host:port of the Temporal server; without it `thaw restore` runs its own.',
  TEMPORAL_NAMESPACE: 'Namespace of the Temporal server.',
} as const satisfies Record<string, string>;

export type EnvironmentVariable = keyof typeof environmentVariables;

/** A setting, and where its value came from, for messages. */
export interface Setting<T> {
  readonly value: T;
  /** `--config`, `THAW_CONFIG`, `the configuration` or `the default`. */
  readonly from: string;
}

/** The places that a setting may be given in, strongest first; what is absent or empty is passed over. */
export interface SettingSources<T> {
  readonly flag?: { readonly name: string; readonly value: string | undefined };
  readonly variable?: { readonly name: string; readonly env: NodeJS.ProcessEnv };
  readonly configured?: T | null | undefined;
  readonly fallback: T;
}

/** Flag before environment before configuration before default. */
export function resolveSetting(sources: SettingSources<string>): Setting<string> {
  const { flag, variable, configured, fallback } = sources;
  if (flag?.value) return { value: flag.value, from: flag.name };
  const fromEnvironment = variable?.env[variable.name];
  if (variable && fromEnvironment) return { value: fromEnvironment, from: variable.name };
  if (configured) return { value: configured, from: 'the configuration' };
  return { value: fallback, from: 'the default' };
}

/**
 * The configuration file: `--config`, then `THAW_CONFIG`.
 *
 * @throws ThawError `ConfigInvalid` when neither names one
 */
export function configPath(flag: string | undefined, env: NodeJS.ProcessEnv): Setting<string> {
  const setting = resolveSetting({
    flag: { name: '--config', value: flag },
    variable: { name: 'THAW_CONFIG', env },
    fallback: '',
  });
  if (setting.value !== '') return { ...setting, value: resolve(setting.value) };
  throw new ThawError('ConfigInvalid', 'no configuration file is named', {
    object: 'THAW_CONFIG',
    hint: 'Name it with --config PATH or in THAW_CONFIG.',
  });
}

/** Where the state of this user lies: `--state-dir` or `THAW_STATE_DIR`, then `$XDG_STATE_HOME/thaw`. */
export function stateDir(flag: string | undefined, env: NodeJS.ProcessEnv): Setting<string> {
  const home = env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state');
  const setting = resolveSetting({
    flag: { name: '--state-dir', value: flag },
    variable: { name: 'THAW_STATE_DIR', env },
    fallback: join(home, 'thaw'),
  });
  return { ...setting, value: resolve(setting.value) };
}
