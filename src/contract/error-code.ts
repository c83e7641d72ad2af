/** What the two sides of a failure need to know of an error code: may it be tried again, and how is it answered. */
export interface ErrorTraits {
  /** Temporal retries it; anything else is an answer. */
  readonly retryable: boolean;
  /** The status of an HTTP answer that carries it. */
  readonly http: number;
  /** The exit code of a command that ends with it. */
  readonly exit: number;
  /** What to do next, where the place that raises it knows nothing better. */
  readonly hint: string;
}

/**
 * Every error that Thaw knows, by its stable code. The one table behind the Temporal failure type,
 * the HTTP status and the exit code.
 */
export const errorTraits = {
  ArchiveNotFound: {
    retryable: false,
    http: 404,
    exit: 2,
    hint: 'List the archives with `thaw list` and check prefix, database and table.',
  },
  ArchiveFrozen: {
    retryable: false,
    http: 409,
    exit: 2,
    hint: 'The object is in an archive storage class. Have a copy of it thawed with S3 RestoreObject, then restore again.',
  },
  ArchiveCorrupt: {
    retryable: false,
    http: 422,
    exit: 2,
    hint: 'The object is damaged. Bring back an earlier version of it, or restore the others and leave this one out.',
  },
  ChecksumMismatch: {
    retryable: false,
    http: 422,
    exit: 2,
    hint: 'The object is not what was archived. Bring back an earlier version; --no-validate-checksum loads it as it is.',
  },
  CountMismatch: {
    retryable: false,
    http: 422,
    exit: 2,
    hint: 'The object holds another number of records than its metadata says. Compare it with its manifest before using it.',
  },
  ArchiveChanged: {
    retryable: false,
    http: 409,
    exit: 2,
    hint: 'The object was replaced while it was read. Restore again once nothing writes to the bucket.',
  },
  MetadataInvalid: {
    retryable: false,
    http: 422,
    exit: 2,
    hint: 'The .metadata.json beside the archive cannot be used. Repair it, or take it away to restore without it.',
  },
  SchemaIncompatible: {
    retryable: false,
    http: 422,
    exit: 3,
    hint: 'Alter the table, or choose another --schema-migration-strategy.',
  },
  ConflictFound: {
    retryable: false,
    http: 409,
    exit: 2,
    hint: 'Use --conflict-strategy skip to keep the rows that are there, or overwrite to replace them.',
  },
  RowRejected: {
    retryable: false,
    http: 422,
    exit: 2,
    hint: 'PostgreSQL does not accept a row. Alter the table, or allow a number of bad rows with --max-rejects.',
  },
  DumpRejected: {
    retryable: false,
    http: 422,
    exit: 1,
    hint: 'PostgreSQL does not accept something in the dump; the log of the restore names it. Mend the target, or allow it with --allow-errors.',
  },
  VerificationFailed: {
    retryable: false,
    http: 422,
    exit: 3,
    hint: 'What was loaded is not what was expected; the report names each check. The live database is as it was.',
  },
  StepFailed: {
    retryable: false,
    http: 422,
    exit: 1,
    hint: 'Correct what the step does in system.yaml, or what it needs, then `thaw decide` retry, or restore again.',
  },
  TargetMissing: {
    retryable: false,
    http: 404,
    exit: 1,
    hint: 'Create the table first (--create-table makes it from the archived schema), or name another with --schema and --into-table.',
  },
  TargetBusy: {
    retryable: false,
    http: 409,
    exit: 1,
    hint: 'Wait for the restore that holds the table (`thaw watch`), or cancel it.',
  },
  PermissionDenied: {
    retryable: false,
    http: 403,
    exit: 1,
    hint: 'Grant the right that is named, or use other credentials.',
  },
  TooManyRestores: {
    retryable: false,
    http: 429,
    exit: 1,
    hint: 'Wait until an earlier restore is an hour old, or raise THAW_SNAPSHOT_RESTORES_PER_HOUR.',
  },
  ConfigInvalid: { retryable: false, http: 400, exit: 1, hint: 'Correct the configuration.' },
  InputInvalid: { retryable: false, http: 400, exit: 1, hint: 'Correct the request.' },
  StoreThrottled: {
    retryable: true,
    http: 503,
    exit: 1,
    hint: 'The object store asks for fewer requests; it is tried again.',
  },
  StoreUnavailable: {
    retryable: true,
    http: 503,
    exit: 1,
    hint: 'The object store cannot be reached; it is tried again. Check endpoint and network.',
  },
  DatabaseUnavailable: {
    retryable: true,
    http: 503,
    exit: 1,
    hint: 'PostgreSQL cannot be reached; it is tried again. Check host, port and that it runs.',
  },
  TemporalUnavailable: {
    retryable: true,
    http: 503,
    exit: 1,
    hint: 'Check TEMPORAL_ADDRESS and that the Temporal server runs, then ask again. What was started goes on once it is back.',
  },
  LockTimeout: {
    retryable: true,
    http: 503,
    exit: 1,
    hint: 'A lock was not had in time; it is tried again. Look for long transactions on the table.',
  },
  SerializationFailure: {
    retryable: true,
    http: 503,
    exit: 1,
    hint: 'PostgreSQL asked to try the transaction again; it is tried again.',
  },
} as const satisfies Record<string, ErrorTraits>;

/** The stable name of a condition. */
export type ErrorCode = keyof typeof errorTraits;

/** All codes, in the order of the table. */
export const errorCodes = Object.keys(errorTraits) as ErrorCode[];

/** Tells whether a text, such as the type of a Temporal failure, is one of the codes. */
export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === 'string' && Object.hasOwn(errorTraits, text);
}
