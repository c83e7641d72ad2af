import { truthOf } from '../../config/config.ts';
import { parseCron } from '../../config/cron.ts';
import { databaseUrlService } from '../../config/environment-services.ts';
import type { ServiceConfig } from '../../config/thaw-config.ts';
import { ThawError } from '../../contract/thaw-error.ts';
import { type BackupOptions, parseBackupOptions } from '../tools/backup-options.ts';
import { parseRestoreOptions } from '../tools/restore-options.ts';
import { type ServiceMode, serviceModes } from './service-variables.ts';

/** When a service does its work. */
export interface ServiceTimes {
  /** Once, as soon as it has started. */
  readonly onStartup: boolean;
  /** Once, and then it ends. */
  readonly singleShot: boolean;
  /** Five or six fields, or `@daily` and the like; null: never by the clock. */
  readonly cron: string | null;
  /** Time zone of the schedule, such as `Europe/Berlin`. */
  readonly timeZone: string;
}

interface ServiceBase {
  /** The database and where its dumps lie. */
  readonly service: ServiceConfig;
  readonly times: ServiceTimes;
}

/** `MODE=backup`: a dump of the database goes to the store. */
export interface BackupSettings extends ServiceBase {
  readonly mode: 'backup';
  readonly backup: BackupOptions;
}

/** `MODE=restore`: a dump in the store goes into the database. */
export interface RestoreSettings extends ServiceBase {
  readonly mode: 'restore';
  /** With or without the subfolder; null: the latest dump. */
  readonly key: string | null;
  /** Further options of pg_restore, which have been read once without a fault. */
  readonly options: string;
}

/** What the variables of a container ask for. */
export type ServiceSettings = BackupSettings | RestoreSettings;

/** Where the AWS SDK finds keys when the two variables are not set. */
const otherCredentials = [
  'AWS_PROFILE',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  'AWS_SHARED_CREDENTIALS_FILE',
];

const backupDefault = '0 5 * * *';

/**
 * Reads the variables of `thaw service`, those of its mode only.
 *
 * @throws ThawError `ConfigInvalid` with a line `VARIABLE: reason` for each thing wrong; without secrets
 */
export function readService(env: NodeJS.ProcessEnv): ServiceSettings {
  const reader = new Reader(env);
  const mode = reader.mode();
  const settings = mode === 'restore' ? restoreSettings(reader) : backupSettings(reader, mode !== null);
  reader.checkCredentials();
  const [first] = reader.faults;
  if (first !== undefined || settings === null) {
    throw new ThawError('ConfigInvalid', reader.faults.join('\n'), {
      object: first?.split(':')[0] ?? 'MODE',
      hint: 'Correct the environment of the service, or the .env file of its folder. `thaw help service` lists the variables.',
    });
  }
  return settings;
}

/** @param isMode false where MODE is none, so that what is missing for a backup is no fault */
function backupSettings(reader: Reader, isMode: boolean): BackupSettings | null {
  if (!isMode) {
    reader.bucket();
    return null;
  }
  const service = reader.service('BACKUP_DATABASE_URL', 'backup');
  const backup = reader.options('BACKUP_OPTIONS', parseBackupOptions);
  const times: ServiceTimes = {
    onStartup: reader.truth('BACKUP_RUN_ON_STARTUP', 'RUN_ON_STARTUP'),
    singleShot: reader.truth('BACKUP_SINGLE_SHOT_MODE', 'SINGLE_SHOT_MODE'),
    cron: reader.cron('BACKUP_CRON_SCHEDULE', backupDefault),
    timeZone: reader.timeZone(),
  };
  return service === null || backup === null ? null : { mode: 'backup', service, times, backup };
}

function restoreSettings(reader: Reader): RestoreSettings | null {
  const service = reader.service('RESTORE_DATABASE_URL', 'restore');
  const options = reader.options('RESTORE_OPTIONS', (text) => {
    parseRestoreOptions(text);
    return text;
  });
  const key = reader.key('RESTORE_FILE_KEY');
  const times: ServiceTimes = {
    onStartup: reader.truth('RESTORE_RUN_ON_STARTUP'),
    singleShot: reader.truth('RESTORE_SINGLE_SHOT_MODE'),
    cron: reader.cron('RESTORE_CRON_SCHEDULE', ''),
    timeZone: reader.timeZone(),
  };
  reader.checkTrigger(times);
  return service === null || options === null ? null : { mode: 'restore', service, times, key, options };
}

/** Takes variables out of an environment, and keeps what is wrong with them. */
class Reader {
  readonly faults: string[] = [];
  readonly #env: NodeJS.ProcessEnv;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  mode(): ServiceMode | null {
    const word = (this.#env.MODE ?? '').trim() || 'backup';
    const mode = serviceModes.find((one) => one === word.toLowerCase());
    if (mode === undefined) this.faults.push(`MODE: must be backup or restore (got "${word}")`);
    return mode ?? null;
  }

  /** The database that a URL names, with the store of dumps that all services share. */
  service(variable: string, mode: ServiceMode): ServiceConfig | null {
    this.bucket();
    const isSet = Boolean(this.#env[variable]);
    if (!isSet) this.faults.push(`${variable}: is required where MODE is ${mode}`);
    const { service, faults } = databaseUrlService(this.#env, variable);
    this.faults.push(...faults);
    return service;
  }

  bucket(): void {
    const { AWS_S3_BUCKET, S3_BUCKET, BACKUP_DIR } = this.#env;
    const isBucket = Boolean(AWS_S3_BUCKET || S3_BUCKET);
    if (!isBucket && BACKUP_DIR) return;
    if (!isBucket) this.faults.push('AWS_S3_BUCKET: is required');
    const { AWS_S3_REGION, S3_REGION, AWS_REGION, AWS_DEFAULT_REGION } = this.#env;
    if (!(AWS_S3_REGION || S3_REGION || AWS_REGION || AWS_DEFAULT_REGION)) {
      this.faults.push('AWS_S3_REGION: is required; "auto" where the store has no regions');
    }
  }

  /** Half a key is a mistake; none at all is one where nothing else says who asks. */
  checkCredentials(): void {
    const env = this.#env;
    const missing = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'].filter((name) => !env[name]);
    const isElsewhere = missing.length === 2 && otherCredentials.some((name) => env[name]);
    const isFolder = !(env.AWS_S3_BUCKET || env.S3_BUCKET) && env.BACKUP_DIR;
    if (isElsewhere || isFolder) return;
    this.faults.push(...missing.map((name) => `${name}: is required`));
  }

  /** A boolean that may have several names; the first is what messages call it. */
  truth(...names: readonly [string, ...string[]]): boolean {
    const given = names.filter((name) => this.#env[name]);
    const truths = given.map((name) => {
      const truth = truthOf(this.#env[name]);
      if (truth === undefined)
        this.faults.push(`${name}: must be true or false (got "${this.#env[name] ?? ''}")`);
      return truth;
    });
    if (truths.includes(true) && truths.includes(false)) {
      this.faults.push(`${given.join(', ')}: contradict each other; set one of them`);
    }
    return truths[0] ?? false;
  }

  cron(name: string, fallback: string): string | null {
    const text = this.#env[name] || fallback;
    if (text === '') return null;
    const cron = parseCron(text);
    if (typeof cron !== 'string') return text;
    this.faults.push(`${name}: ${cron} (got "${text}")`);
    return null;
  }

  timeZone(): string {
    const zone = this.#env.TZ || 'UTC';
    try {
      new Intl.DateTimeFormat('en', { timeZone: zone });
    } catch {
      this.faults.push(`TZ: must name a time zone, such as Europe/Berlin (got "${zone}")`);
    }
    return zone;
  }

  options<T>(name: string, parse: (text: string) => T): T | null {
    try {
      return parse(this.#env[name] ?? '');
    } catch (error) {
      if (!(error instanceof ThawError)) throw error;
      this.faults.push(error.message);
      return null;
    }
  }

  key(name: string): string | null {
    const key = this.#env[name] || null;
    if (key?.startsWith('/') || key?.split('/').includes('..')) {
      this.faults.push(`${name}: must be a key below BUCKET_SUBFOLDER, without leading / and ..`);
    }
    return key;
  }

  /** Without a trigger the container would start, do nothing and look well. */
  checkTrigger({ onStartup, singleShot, cron }: ServiceTimes): void {
    const names = ['RESTORE_RUN_ON_STARTUP', 'RESTORE_SINGLE_SHOT_MODE', 'RESTORE_CRON_SCHEDULE'];
    const isFaulty = names.some((name) => this.faults.some((fault) => fault.startsWith(name)));
    if (onStartup || singleShot || cron !== null || isFaulty) return;
    this.faults.push(`${names.join(', ')}: one of them must be set, as nothing would ever be restored`);
  }
}
