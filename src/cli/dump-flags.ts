import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type DumpInput, defaultKeepOldSeconds } from '../client/dump-input.ts';
import { parseSeconds } from '../config/duration.ts';
import type { ThawConfig } from '../config/thaw-config.ts';
import {
  type DumpChoice,
  type DumpMode,
  type DumpSection,
  dumpModes,
  dumpSections,
} from '../contract/dump-request.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { beforeTime } from './before-time.ts';
import {
  collect,
  type LogFlags,
  type TemporalFlags,
  wholeNumber,
  withConfig,
  withLog,
  withTemporal,
  word,
} from './flags.ts';

/** The flags of `thaw restore-dump`. */
export interface DumpFlags extends TemporalFlags, LogFlags {
  readonly config?: string;
  readonly file?: string;
  readonly latest?: boolean;
  /** ISO 8601. */
  readonly before?: string;
  readonly fallback: number;
  readonly mode?: DumpMode;
  readonly inPlace?: boolean;
  readonly into?: string;
  readonly create?: boolean;
  readonly owner?: string;
  readonly keepOld: number;
  readonly onlyTable?: readonly string[];
  readonly onlySchema?: readonly string[];
  readonly section?: readonly DumpSection[];
  readonly dataOnly?: boolean;
  readonly schemaOnly?: boolean;
  readonly clean?: boolean;
  readonly restoreOptions?: string;
  readonly jobs?: number;
  readonly allowErrors?: boolean;
  readonly check?: readonly string[];
  readonly checkUrl?: readonly string[];
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly detach?: boolean;
  readonly taskQueue?: string;
}

/** Adds the flags of `thaw restore-dump`. */
export function withDumpFlags(command: Command): Command {
  withConfig(command);
  command
    .optionsGroup('Which dump:')
    .option('--file <dump>', 'path, or key with or without the subfolder (RESTORE_FILE_KEY)')
    .option('--latest', 'the newest one of the service, by the time in its name')
    .option(
      '--before <time>',
      'the newest one that is not later; a day alone is included, without zone it is local time',
      beforeTime,
    )
    .addOption(
      new Option('--fallback <n>', 'where it is not good, so many earlier ones are tried')
        .argParser(wholeNumber(1000))
        .default(0),
    )
    .optionsGroup('Where it goes:')
    .addOption(
      new Option(
        '--mode <mode>',
        `${dumpModes.join(', ')}: beside the live database and swapped by rename, in place of it, or into it (default: swap; for parts into-existing)`,
      ).argParser(word(dumpModes)),
    )
    .option('--in-place', 'the same as --mode recreate: drop the database, make it, load it')
    .option('--into <name>', 'database of this name on the same server')
    .option('--create', 'make the database where it is not there')
    .option('--owner <role>', 'owner of the database and its objects (default: as the live one)')
    .addOption(
      new Option('--keep-old <time>', 'how long the old database is kept after a swap, such as 90m; 0: not')
        .argParser(keepTime)
        .default(defaultKeepOldSeconds, '24h'),
    )
    .optionsGroup('Which part of it (goes into the database that is there):')
    .option('--only-table <table>', 'table or schema.table; repeatable', collect)
    .option('--only-schema <schema>', 'schema; repeatable', collect)
    .option(
      '--section <section>',
      `${dumpSections.join(', ')}; repeatable`,
      (value: string, before: readonly DumpSection[] | undefined) => [
        ...(before ?? []),
        word(dumpSections)(value),
      ],
    )
    .option('--data-only', 'rows alone')
    .option('--schema-only', 'no rows')
    .option('--clean', 'drop what the dump holds first')
    .optionsGroup('How:')
    .option('--restore-options <options>', 'further options of pg_restore, in one word (RESTORE_OPTIONS)')
    .option('--jobs <n>', 'sessions that load a custom or directory dump (default: cores)', jobs)
    .option('--allow-errors', 'errors that pg_restore passes over are no failure')
    .option('--check <sql>', 'statement that must give true after the load; repeatable', collect)
    .option('--check-url <url>', 'URL that must answer with success after the load; repeatable', collect)
    .option('--dry-run', 'prove the dump, look at everything, tell what would be done, and touch nothing')
    .option('--yes', 'ask nothing before a database is replaced')
    .option('--json', 'print one JSON object and nothing else')
    .option('--detach', 'start it in the cluster and do not wait for its end')
    .option('--task-queue <name>', 'task queue of the workers (THAW_TASK_QUEUE, default: thaw)')
    .optionsGroup('Temporal and log:');
  withTemporal(command);
  return withLog(command, 'warning');
}

/**
 * What the words and flags of a command line ask for. Of two words one is the service: the procedures' script takes
 * it last, and here it may come first too.
 *
 * @throws ThawError `InputInvalid`
 */
export function dumpInputOf(
  words: readonly string[],
  flags: DumpFlags,
  config: ThawConfig,
  env: NodeJS.ProcessEnv,
): DumpInput {
  const { file, service } = sortWords(words, flags, config);
  return {
    service,
    choice: choiceOf(file ?? flags.file ?? null, flags, env),
    mode: modeOf(flags),
    into: flags.into ?? null,
    create: flags.create === true,
    owner: flags.owner ?? null,
    part: {
      tables: flags.onlyTable ?? [],
      schemas: flags.onlySchema ?? [],
      sections: flags.section ?? [],
      dataOnly: flags.dataOnly === true,
      schemaOnly: flags.schemaOnly === true,
      clean: flags.clean === true,
    },
    restoreOptions: flags.restoreOptions ?? env.RESTORE_OPTIONS ?? '',
    fallback: flags.fallback,
    keepOldSeconds: flags.keepOld,
    jobs: flags.jobs ?? null,
    allowErrors: flags.allowErrors === true,
    checks: flags.check ?? [],
    checkUrls: flags.checkUrl ?? [],
    dryRun: flags.dryRun === true,
  };
}

function sortWords(
  words: readonly string[],
  flags: DumpFlags,
  { services }: ThawConfig,
): { readonly file: string | null; readonly service: string | null } {
  const isService = (text: string) => services.some(({ name }) => name === text);
  const [first, second] = words;
  if (first === undefined) return { file: null, service: null };
  if (second !== undefined) {
    const isSwapped = !isService(second) && isService(first);
    return isSwapped ? { file: second, service: first } : { file: first, service: second };
  }
  // A dump that is told otherwise leaves the one word to the service.
  const isTold = flags.file !== undefined || flags.latest === true || flags.before !== undefined;
  if (isTold || (isService(first) && !isFile(first))) return { file: null, service: first };
  return { file: first, service: null };
}

function choiceOf(file: string | null, { latest, before }: DumpFlags, env: NodeJS.ProcessEnv): DumpChoice {
  const isLatest = latest === true || before !== undefined;
  if (file !== null && isLatest) {
    throw invalid(`${file} is named, and --latest or --before asks for another one.`, 'Give one of them.');
  }
  const named = file ?? (isLatest ? null : env.RESTORE_FILE_KEY || null);
  if (named !== null) {
    const isPath = /^\.{0,2}\//.test(named) || isFile(named);
    return isPath ? { kind: 'file', path: resolve(named) } : { kind: 'key', key: named };
  }
  if (isLatest) return { kind: 'latest', before: before ?? null };
  throw invalid(
    'No dump is named.',
    'Name one by its path or key, or take the newest with --latest or --before; `thaw dumps` lists them.',
  );
}

function modeOf({ mode, inPlace }: DumpFlags): DumpMode | null {
  if (inPlace !== true || mode === 'recreate') return mode ?? null;
  if (mode === undefined) return 'recreate';
  throw invalid(`--in-place and --mode ${mode} contradict each other.`, 'Give one of them.');
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function keepTime(text: string): number {
  const seconds = text === '0' ? 0 : parseSeconds(text);
  if (seconds !== null) return seconds;
  throw new InvalidArgumentError('It must be a time such as 90m, 24h or 7d, or 0.');
}

function jobs(text: string): number {
  const number = wholeNumber(999)(text);
  if (number > 0) return number;
  throw new InvalidArgumentError('It must be at least 1.');
}

function invalid(message: string, hint: string): ThawError {
  return new ThawError('InputInvalid', message, { object: 'dump', hint });
}
