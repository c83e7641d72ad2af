import { type Command, InvalidArgumentError, Option } from 'commander';
import type { FieldNaming } from '../client/restore-input.ts';
import { type LogFormat, type LogLevel, type LogSettings, logFormats, logLevels } from './logger.ts';

/** Flags that say where Temporal is. */
export interface TemporalFlags {
  readonly temporalAddress?: string;
  readonly namespace?: string;
  readonly stateDir?: string;
}

/** Flags that say how much is logged. */
export interface LogFlags {
  readonly verbose?: boolean;
  readonly logLevel?: LogLevel;
  readonly logFormat: LogFormat;
}

/** Adds `--config`. */
export function withConfig(command: Command): Command {
  return command.option('-c, --config <path>', 'configuration file (THAW_CONFIG)');
}

/** Adds `--system`. */
export function withSystem(command: Command): Command {
  return command.option(
    '--system <path>',
    'file that describes systems (THAW_SYSTEM, default: system.yaml beside the configuration)',
  );
}

/** Adds the flags that say where Temporal is. */
export function withTemporal(command: Command): Command {
  return command
    .option(
      '--temporal-address <host:port>',
      'Temporal cluster to use; without it, the own server of this user (TEMPORAL_ADDRESS)',
    )
    .option('--namespace <name>', 'namespace in it (TEMPORAL_NAMESPACE, default: default)')
    .option('--state-dir <path>', 'folder for state (THAW_STATE_DIR, default: $XDG_STATE_HOME/thaw)');
}

/** Adds the flags that say how much is logged, and where to. */
export function withLog(
  command: Command,
  level: LogLevel,
  place: 'standard error' | 'standard output' = 'standard error',
): Command {
  return command
    .option('-v, --verbose', 'the same as --log-level debug')
    .addOption(
      new Option('--log-level <level>', `${logLevels.join(', ')}; the log goes to ${place}`)
        .argParser(word(logLevels))
        .default(undefined, level),
    )
    .addOption(
      new Option('--log-format <format>', 'console or json').argParser(word(logFormats)).default('console'),
    );
}

/** What the flags of the log say. */
export function logSettings(flags: LogFlags, level: LogLevel): LogSettings {
  return { level: flags.logLevel ?? (flags.verbose === true ? 'debug' : level), format: flags.logFormat };
}

/** Reads one of some words, in upper or lower case. */
export function word<const T extends readonly string[]>(words: T): (value: string) => T[number] {
  return (value) => {
    const found = words.find((each) => each === value.toLowerCase());
    if (found === undefined) throw new InvalidArgumentError(`It must be one of ${words.join(', ')}.`);
    return found;
  };
}

/** Collects the values of a flag that may come several times. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** Names a field of a request by its flag: `start_date` is `--start-date`. */
export const flagNaming: FieldNaming = (field) => {
  const renamed: Readonly<Record<string, string>> = { tables: 'table', s3_keys: 's3-key' };
  if (field === 'validate_checksum') return '--no-validate-checksum';
  if (field === 'detect_conflicts') return '--no-detect-conflicts';
  return `--${renamed[field] ?? field.replaceAll('_', '-')}`;
};

/** Reads a whole number from 0 to `most`. */
export function wholeNumber(most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (/^\d+$/.test(value) && number <= most) return number;
    throw new InvalidArgumentError(`It must be a whole number from 0 to ${most}.`);
  };
}
