/** What a service does. */
export const serviceModes = ['backup', 'restore'] as const;
export type ServiceMode = (typeof serviceModes)[number];

/** A variable of `thaw service`. */
export interface ServiceVariable {
  readonly name: string;
  /** Another spelling of it. */
  readonly alias?: string;
  /** The mode that it is for; null: both. */
  readonly mode: ServiceMode | null;
  /** What counts where it is not set; null: it has to be. */
  readonly fallback: string | null;
  readonly says: string;
}

/** The variables of `thaw service`, for help and documentation. */
export const serviceVariables: readonly ServiceVariable[] = [
  { name: 'MODE', mode: null, fallback: 'backup', says: 'What is done: backup or restore.' },
  { name: 'AWS_ACCESS_KEY_ID', mode: null, fallback: null, says: 'Key of S3; or a profile or role of AWS.' },
  { name: 'AWS_SECRET_ACCESS_KEY', mode: null, fallback: null, says: 'Its secret.' },
  { name: 'AWS_S3_BUCKET', mode: null, fallback: null, says: 'Bucket of the dumps.' },
  { name: 'AWS_S3_REGION', mode: null, fallback: null, says: 'Its region, or auto.' },
  { name: 'AWS_S3_ENDPOINT', mode: null, fallback: '', says: 'The store, where that is not AWS.' },
  {
    name: 'AWS_S3_FORCE_PATH_STYLE',
    mode: null,
    fallback: 'false',
    says: 'Whether the bucket is named in the path.',
  },
  { name: 'BUCKET_SUBFOLDER', mode: null, fallback: '', says: 'Folder of the dumps in the bucket.' },
  { name: 'BACKUP_FILE_PREFIX', mode: null, fallback: 'backup', says: 'What names of dumps begin with.' },
  {
    name: 'SUPPORT_OBJECT_LOCK',
    mode: null,
    fallback: 'false',
    says: 'Whether uploads carry Content-MD5, as buckets with object lock ask for.',
  },
  { name: 'BACKUP_DATABASE_URL', mode: 'backup', fallback: null, says: 'Database that is dumped.' },
  { name: 'BACKUP_CRON_SCHEDULE', mode: 'backup', fallback: '0 5 * * *', says: 'When.' },
  { name: 'BACKUP_OPTIONS', mode: 'backup', fallback: '', says: 'Further options of pg_dump.' },
  {
    name: 'BACKUP_RUN_ON_STARTUP',
    alias: 'RUN_ON_STARTUP',
    mode: 'backup',
    fallback: 'false',
    says: 'Whether a dump is made at the start, too.',
  },
  {
    name: 'BACKUP_SINGLE_SHOT_MODE',
    alias: 'SINGLE_SHOT_MODE',
    mode: 'backup',
    fallback: 'false',
    says: 'Whether one dump is made and then the service ends.',
  },
  {
    name: 'RESTORE_DATABASE_URL',
    mode: 'restore',
    fallback: null,
    says: 'Database that dumps are restored into.',
  },
  {
    name: 'RESTORE_FILE_KEY',
    mode: 'restore',
    fallback: '',
    says: 'Key of the dump, with or without the subfolder; without it, the latest.',
  },
  {
    name: 'RESTORE_CRON_SCHEDULE',
    mode: 'restore',
    fallback: '',
    says: 'When; without it, never by the clock.',
  },
  {
    name: 'RESTORE_RUN_ON_STARTUP',
    mode: 'restore',
    fallback: 'false',
    says: 'Whether a dump is restored at the start.',
  },
  {
    name: 'RESTORE_SINGLE_SHOT_MODE',
    mode: 'restore',
    fallback: 'false',
    says: 'Whether one dump is restored and then the service ends.',
  },
  { name: 'RESTORE_OPTIONS', mode: 'restore', fallback: '', says: 'Further options of pg_restore.' },
  { name: 'TZ', mode: null, fallback: 'UTC', says: 'Time zone of the schedule.' },
];
