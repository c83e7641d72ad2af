import type { ErrorCode } from '../contract/error-code.ts';
import { ThawError, type ThawErrorOptions } from '../contract/thaw-error.ts';

/** An answer of an S3 server that is no success. */
export class S3Answer extends Error {
  override readonly name = 'S3Answer';
  readonly status: number;
  /** S3's own word, such as `NoSuchKey`; empty where the answer had none. */
  readonly code: string;
  /** The bucket's region, where the answer tells it. */
  readonly region: string | undefined;

  constructor(status: number, code: string, region?: string) {
    super(`${status} ${code}`.trim());
    this.status = status;
    this.code = code;
    this.region = region;
  }
}

/** What a failure is about. */
export interface StoreErrorContext {
  /** The store as messages name it, such as `s3://bucket`. */
  readonly store: string;
  /** The key; absent when the store as a whole was asked. */
  readonly key?: string | undefined;
}

type Verdict = readonly [code: ErrorCode, what: string, hint?: string];

const unknownKey: Verdict = [
  'PermissionDenied',
  'access key is not known',
  'Correct AWS_ACCESS_KEY_ID or s3.access_key_id, and see that it belongs to this endpoint.',
];

const byCode: Readonly<Record<string, Verdict>> = {
  NoSuchKey: ['ArchiveNotFound', 'is not there'],
  NoSuchVersion: ['ArchiveNotFound', 'is not there'],
  NoSuchBucket: ['ConfigInvalid', 'bucket does not exist', 'Correct s3.bucket and s3.endpoint.'],
  InvalidBucketName: ['ConfigInvalid', 'is not a name that a bucket may have', 'Correct s3.bucket.'],
  InvalidObjectState: ['ArchiveFrozen', 'is frozen in an archive storage class and cannot be read yet'],
  PreconditionFailed: ['ArchiveChanged', 'is not the object that it was when it was listed or first read'],
  ConditionalRequestConflict: ['ArchiveChanged', 'is being written by somebody else'],
  InvalidAccessKeyId: unknownKey,
  // versitygw's word for it, with status 404.
  XAdminUserNotFound: unknownKey,
  SignatureDoesNotMatch: [
    'PermissionDenied',
    'secret does not belong to the access key',
    'Correct AWS_SECRET_ACCESS_KEY or s3.secret_access_key.',
  ],
  ExpiredToken: ['PermissionDenied', 'session token has expired', 'Get new temporary credentials.'],
  InvalidToken: ['PermissionDenied', 'session token is not valid', 'Correct AWS_SESSION_TOKEN, or unset it.'],
  RequestTimeTooSkewed: [
    'PermissionDenied',
    'clock of this machine is wrong',
    'Set the clock: S3 accepts 15 minutes at most.',
  ],
  RequestExpired: [
    'PermissionDenied',
    'clock of this machine is wrong',
    'Set the clock: S3 accepts 15 minutes at most.',
  ],
  CredentialsProviderError: [
    'PermissionDenied',
    'no credentials found',
    'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or s3.access_key_id and s3.secret_access_key.',
  ],
  SlowDown: ['StoreThrottled', 'asks for fewer requests'],
  TooManyRequests: ['StoreThrottled', 'asks for fewer requests'],
  TooManyRequestsException: ['StoreThrottled', 'asks for fewer requests'],
  ThrottlingException: ['StoreThrottled', 'asks for fewer requests'],
  Throttling: ['StoreThrottled', 'asks for fewer requests'],
  RequestLimitExceeded: ['StoreThrottled', 'asks for fewer requests'],
  RequestTimeout: ['StoreUnavailable', 'did not get the request in time'],
  EPROTO: ['ConfigInvalid', 'does not speak TLS', 'Check http:// or https:// in s3.endpoint.'],
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted(),
  SELF_SIGNED_CERT_IN_CHAIN: untrusted(),
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted(),
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted(),
  CERT_HAS_EXPIRED: untrusted(),
  ERR_TLS_CERT_ALTNAME_INVALID: untrusted(),
  ENOENT: ['ArchiveNotFound', 'is not there'],
  ENOTDIR: ['ArchiveNotFound', 'is not there'],
  EISDIR: ['ArchiveNotFound', 'is a folder'],
  ENAMETOOLONG: ['ArchiveNotFound', 'is not there: the name is too long for a file'],
  EACCES: ['PermissionDenied', 'may not be accessed'],
  EPERM: ['PermissionDenied', 'may not be accessed'],
  EROFS: ['PermissionDenied', 'is on a read-only file system'],
};

const regionCodes = new Set(['PermanentRedirect', 'AuthorizationHeaderMalformed', 'IncorrectEndpoint']);

/**
 * Turns what S3, its SDK, the network or the file system raised into an error of the closed set: the one
 * place where this is decided. What it does not know, such as a fault of the program, comes back as it is.
 */
export function storeError(error: unknown, context: StoreErrorContext): unknown {
  if (error instanceof ThawError || !(error instanceof Error)) return error;
  const answer = answerOf(error);
  const verdict = judge(answer, error);
  if (verdict === undefined) return error;
  const [code, what, hint] = verdict;
  const isAboutStore = context.key === undefined || code === 'ConfigInvalid';
  const name = isAboutStore ? context.store : `${context.store}/${context.key}`;
  const told = [answer.status, answer.code].filter(Boolean).join(' ');
  const options: ThawErrorOptions = {
    hint: code === 'ArchiveFrozen' ? thawing(context) : hint,
    object: isAboutStore ? context.store : context.key,
    cause: error,
  };
  return new ThawError(code, `${name}: ${what}${told ? ` (${told})` : ''}`, options);
}

/** How a frozen object is made readable, with the object's own names. */
function thawing({ store, key = '' }: StoreErrorContext): string {
  const place = `--bucket ${store.replace('s3://', '')} --key '${key.replaceAll("'", `'\\''`)}'`;
  return [
    `Thaw it first: \`aws s3api restore-object ${place} --restore-request Days=7\` asks for a copy that can be read`,
    "(in an archive tier of INTELLIGENT_TIERING: --restore-request '{}').",
    'It is there after minutes to two days, as `aws s3api head-object` tells; then restore again.',
  ].join(' ');
}

interface Answer {
  readonly status: number | undefined;
  readonly code: string;
  readonly region: string | undefined;
}

function answerOf(error: Error): Answer {
  if (error instanceof S3Answer) return error;
  if ('$metadata' in error) return sdkAnswer(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return { status: undefined, code: code || networkName(error.name), region: undefined };
}

/** Names that errors without a `code` have, where they are none of the program's own. */
function networkName(name: string): string {
  return name === 'TimeoutError' || name === 'CredentialsProviderError' ? name : '';
}

/** What an error of the AWS SDK holds, read without trusting its shape. */
function sdkAnswer(error: Error & { $metadata: unknown }): Answer {
  const status = property(error.$metadata, 'httpStatusCode');
  const region =
    property(property(property(error, '$response'), 'headers'), 'x-amz-bucket-region') ??
    property(error, 'Region');
  const code = property(error, 'code');
  if (status === undefined)
    return { status: undefined, code: String(code ?? networkName(error.name)), region: undefined };
  return {
    status: Number(status),
    code: error.name === 'UnknownError' ? '' : error.name,
    region: typeof region === 'string' ? region : undefined,
  };
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function judge({ status, code, region }: Answer, error: Error): Verdict | undefined {
  if (regionCodes.has(code) || status === 301) return wrongRegion(region);
  const known = byCode[code];
  if (known !== undefined) return known;
  if (status === undefined)
    return code === '' || error instanceof TypeError ? undefined : ['StoreUnavailable', 'cannot be reached'];
  // Only these: any other 404, such as that of a proxy or for an unknown access key, must not pass for an
  // object that is not there, because metadata that is not there is none of an error.
  if (status === 404 && (code === '' || code === 'NotFound')) return byCode.NoSuchKey;
  if (status === 412) return byCode.PreconditionFailed;
  if (status === 429) return byCode.SlowDown;
  if (status === 401 || status === 403) return denied;
  if (status >= 500) return ['StoreUnavailable', 'answers with an error'];
  return [
    'ConfigInvalid',
    'does not accept the request',
    'Check s3.endpoint, s3.bucket and s3.region; for objects encrypted by SSE-C, s3.encryption and its key.',
  ];
}

const denied: Verdict = [
  'PermissionDenied',
  'access denied',
  'Grant s3:GetObject and s3:ListBucket. Without s3:ListBucket S3 answers so for objects that are not there, too, and with SSE-C for a wrong key.',
];

function wrongRegion(region: string | undefined): Verdict {
  const hint =
    region === undefined
      ? 'Correct s3.region and s3.endpoint.'
      : `Set s3.region to ${region}; where the environment names the bucket, AWS_S3_REGION.`;
  return ['ConfigInvalid', 'bucket is in another region', hint];
}

function untrusted(): Verdict {
  return [
    'ConfigInvalid',
    'certificate is not trusted',
    'Name a file with its certificate authority in NODE_EXTRA_CA_CERTS, or correct s3.endpoint.',
  ];
}
