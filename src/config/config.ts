import { z } from 'zod';

/** An error text for a field that is there but wrong; a field that is absent `is required`. */
function must(message: string) {
  return { error: (issue: { input?: unknown }) => (issue.input === undefined ? 'is required' : message) };
}

const text = z.string(must('must be text')).min(1, 'must not be empty');

/** Text that may be absent; an empty one is, since `${VAR:-}` is how a file says so. */
const optionalText = z.preprocess((value) => (value === '' ? undefined : value), text.optional()).optional();

const truths = new Map<unknown, boolean>([
  ...['true', 't', 'yes', 'y', 'on', '1', 1].map((word): [unknown, boolean] => [word, true]),
  ...['false', 'f', 'no', 'n', 'off', '0', 0].map((word): [unknown, boolean] => [word, false]),
]);

/** The words that the archiver takes for booleans; undefined for anything else. */
export function truthOf(value: unknown): boolean | undefined {
  return truths.get(typeof value === 'string' ? value.toLowerCase() : value);
}

/** Substituted variables are always text. */
const flag = z.preprocess((value) => truthOf(value) ?? value, z.boolean(must('must be true or false')));

const port = z.preprocess(
  (value) => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value),
  z
    .int(must('must be a whole number from 1 to 65535'))
    .min(1, 'must be a whole number from 1 to 65535')
    .max(65535, 'must be a whole number from 1 to 65535'),
);

function oneOf<const T extends readonly string[]>(words: T) {
  return z.enum(words, must(`must be ${words.slice(0, -1).join(', ')} or ${words.at(-1)}`));
}

const section = must('must be a mapping of settings');

/** Where watermark and audit trail are kept. */
const storageType = oneOf(['s3', 'database', 'both']);

/** How a connection to PostgreSQL is secured, in libpq's words. */
export const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof sslModes)[number];

const table = z.object(
  {
    name: text.describe('Table, as archived.'),
    schema: text.default('public').describe('Schema that it was archived from.'),
    timestamp_column: optionalText.describe('Column that the archiver selects rows by.'),
  },
  section,
);

const host = text.refine(
  (host) => !host.includes('://'),
  'must be a host name, an address or a socket folder, not a URL',
);

const database = z
  .object(
    {
      name: text.describe('Database: its folder in the archive, and its name in PostgreSQL.'),
      host: host.describe('Host of PostgreSQL.'),
      port: port.default(5432).describe('Port of PostgreSQL.'),
      user: text.describe('Role that restores.'),
      password_env: optionalText.describe('Environment variable that holds the password.'),
      password: optionalText.describe('The password itself; for development.'),
      sslmode: oneOf(sslModes).optional().describe('TLS as libpq names it; PGSSLMODE, then prefer.'),
      sslrootcert: optionalText.describe('File with the certificate authorities to trust.'),
      tables: z
        .array(table, must('must be a list of tables'))
        .default([])
        .describe('Tables archived from it.'),
    },
    section,
  )
  .superRefine((value, context) => {
    if ((value.password_env === undefined) === (value.password === undefined)) {
      const both = value.password !== undefined;
      const message = both
        ? 'only one of password_env and password may be set'
        : 'one of password_env and password is required';
      context.addIssue({ code: 'custom', path: ['password'], message });
    }
  });

const s3 = z.object(
  {
    endpoint: z
      .string(must('must be a URL, "" or null'))
      .refine(isEndpoint, 'must be an http:// or https:// URL without user, query or fragment')
      .optional()
      .describe('URL of an S3-compatible store; "" is AWS; absent: AWS_ENDPOINT_URL_S3, then AWS.'),
    bucket: optionalText.describe('Bucket that holds the archives.'),
    prefix: z.string(must('must be text')).default('').describe('What every key begins with.'),
    region: optionalText.describe('Region; absent: AWS_REGION, then us-east-1.'),
    addressing_style: oneOf(['path', 'virtual'])
      .optional()
      .describe('Bucket in path or host name; absent: path where an endpoint is set.'),
    encryption: oneOf(['SSE-S3', 'SSE-KMS', 'SSE-C', 'none'])
      .default('SSE-S3')
      .describe('Encryption of what is written to AWS; other stores are only asked for SSE-C.'),
    sse_customer_key: optionalText.describe('Key of SSE-C: 32 bytes in base64.'),
    sse_customer_key_env: optionalText.describe('Environment variable that holds the key of SSE-C.'),
    access_key_id: optionalText.describe('Access key; absent: environment, then the default chain of AWS.'),
    secret_access_key: optionalText.describe('Secret of the access key.'),
    aws_access_key_id: optionalText.describe('Other name of access_key_id.'),
    aws_secret_access_key: optionalText.describe('Other name of secret_access_key.'),
  },
  section,
);

const dumps = z
  .object(
    {
      folder: optionalText.describe('Folder that dumps lie in, or its file:// URL.'),
      s3: s3.omit({ prefix: true }).optional().describe('The object store that dumps lie in, set as s3 is.'),
      prefix: z.string(must('must be text')).default('').describe('What every key of a dump begins with.'),
    },
    section,
  )
  .superRefine(({ folder, s3 }, context) => {
    if (folder === undefined && s3?.bucket === undefined) {
      const path = s3 === undefined ? ['folder'] : ['s3', 'bucket'];
      context.addIssue({ code: 'custom', path, message: 'is required' });
    }
    if (folder !== undefined && s3 !== undefined) {
      context.addIssue({ code: 'custom', path: ['folder'], message: 'and s3 must not both be set' });
    }
  });

const service = z
  .object(
    {
      name: text.describe('Service: what its dumps are named after, and what commands name.'),
      host: host.default('localhost').describe('Host of PostgreSQL.'),
      port: port.default(5432).describe('Port of PostgreSQL.'),
      user: optionalText.describe('Role that restores; absent: the name of the service.'),
      password_env: optionalText.describe('Environment variable that holds the password.'),
      password: optionalText.describe('The password itself; for development.'),
      database: text.describe('Database that its dumps are restored into.'),
      sslmode: oneOf(sslModes).optional().describe('TLS as libpq names it; PGSSLMODE, then prefer.'),
      sslrootcert: optionalText.describe('File with the certificate authorities to trust.'),
      maintenance_database: text
        .default('postgres')
        .describe('Database from which others are made, renamed and dropped.'),
      dumps: dumps.optional().describe('Where its dumps lie; absent: a dump has to be named by its path.'),
      file_prefix: optionalText.describe(
        'What names of its dumps begin with, before - or _ and the time; absent: name or database.',
      ),
      tenants: z
        .array(text.describe('Tenant, as tokens name it.'), must('must be a list of tenants'))
        .optional()
        .describe('Tenants of the HTTP API that may look at it and restore it; absent: root alone.'),
    },
    section,
  )
  .refine(({ password, password_env }) => password === undefined || password_env === undefined, {
    path: ['password'],
    message: 'only one of password_env and password may be set',
  });

/**
 * `config.yaml`: the archiver's own file, of which Thaw reads what a restore needs, and keys of its own,
 * `folder` and `services`. The one definition behind parsing, validation, defaults and help. Keys that are not named
 * here belong to the archiver and are passed over.
 */
export const configFile = z
  .object(
    {
      version: z
        .preprocess(
          // YAML reads an unquoted 1.0 as a number.
          (value) => (typeof value === 'number' ? value.toFixed(1) : value),
          oneOf(['1.0', '2.0']),
        )
        .describe('Version of the file.'),
      s3: s3.optional().describe('The object store that the archiver wrote to.'),
      folder: optionalText.describe('A folder of the same layout, or its file:// URL, read instead of S3.'),
      databases: z
        .array(database, must('must be a list of databases'))
        .min(1, 'must name at least one database')
        .optional()
        .describe('Databases archived, and restored into; may be absent where services are named.'),
      services: z
        .array(service, must('must be a list of services'))
        .default([])
        .describe('Databases with their dumps.'),
      defaults: z
        .object(
          { audit_trail_storage_type: storageType.default('s3').describe('Where audit events are written.') },
          section,
        )
        .prefault({}),
      restore_watermark: z
        .object(
          {
            enabled: flag.default(true).describe('Skip what was restored before.'),
            storage_type: storageType.default('s3').describe('Where the watermark is kept.'),
            update_after_each_archive: flag
              .default(true)
              .describe('Write the watermark after each archive instead of once at the end.'),
          },
          section,
        )
        .prefault({})
        .describe('The record of what was restored.'),
    },
    section,
  )
  .superRefine((value, context) => {
    const { databases, services } = value;
    if (databases === undefined && services.length === 0) {
      context.addIssue({ code: 'custom', path: ['databases'], message: 'is required' });
    }
    if (databases !== undefined && value.folder === undefined && value.s3?.bucket === undefined) {
      context.addIssue({
        code: 'custom',
        path: value.s3 ? ['s3', 'bucket'] : ['s3'],
        message: 'is required',
      });
    }
    refuseTwice('databases', databases ?? [], context);
    refuseTwice('services', services, context);
  });

/** `config.yaml` after validation, in its own names. */
export type ConfigFile = z.output<typeof configFile>;

/** The top-level keys that Thaw reads. */
export const configKeys: ReadonlySet<string> = new Set(Object.keys(configFile.shape));

function isEndpoint(endpoint: string): boolean {
  if (endpoint === '') return true;
  if (!URL.canParse(endpoint)) return false;
  const url = new URL(endpoint);
  const isHttp = url.protocol === 'http:' || url.protocol === 'https:';
  return isHttp && !url.username && !url.password && !url.search && !url.hash;
}

function refuseTwice(
  field: string,
  entries: readonly { readonly name: string }[],
  context: z.RefinementCtx,
): void {
  const seen = new Set<string>();
  for (const [index, { name }] of entries.entries()) {
    if (seen.has(name)) {
      context.addIssue({ code: 'custom', path: [field, index, 'name'], message: 'is there twice' });
    }
    seen.add(name);
  }
}
