import type { SslMode } from './config.ts';

/** A table as configured. */
export interface TableConfig {
  readonly name: string;
  /** @default 'public' */
  readonly schema: string;
  /** The column that the archiver selects rows by; null where the file does not say. */
  readonly timestampColumn: string | null;
}

/**
 * Where the password is: in an environment variable, or in the file (its `${VAR}` not yet substituted). A secret is
 * the password itself, empty where there is none.
 */
export type PasswordSource =
  | { readonly env: string }
  | { readonly text: string }
  | { readonly secret: string };

/** A database: what its archives lie under, and where its rows go. */
export interface DatabaseConfig {
  /** Both the folder in the archive and the name of the PostgreSQL database. */
  readonly name: string;
  /** Host name, address, or folder of a Unix socket. */
  readonly host: string;
  /** @default 5432 */
  readonly port: number;
  readonly user: string;
  /** Use `databasePassword`: a variable that is not set matters only to who connects. */
  readonly password: PasswordSource;
  /** `sslmode`, then `PGSSLMODE`. @default 'prefer' */
  readonly sslMode: SslMode;
  /** Path of a file with certificate authorities; null: those of Node. */
  readonly sslRootCert: string | null;
  readonly tables: readonly TableConfig[];
}

/** Keys of S3, of the configuration or of the environment. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** SSE-C: objects are encrypted by a key that every request brings along. Secret. */
export interface CustomerKey {
  /** 32 bytes in base64. */
  readonly customerKey: string;
}

/** An S3 bucket. */
export interface S3StoreConfig {
  readonly kind: 's3';
  /** URL without trailing slash; null: AWS, whatever the environment says by now. */
  readonly endpoint: string | null;
  readonly bucket: string;
  /** What every key begins with, without trailing slash; may be empty. */
  readonly prefix: string;
  /** @default 'us-east-1' */
  readonly region: string;
  /** The bucket is in the path instead of the host name. @default true where an endpoint is set */
  readonly pathStyle: boolean;
  /** How new objects are encrypted by the store; null: as the bucket says. Of other stores than AWS only a key is asked. */
  readonly encryption: 'AES256' | 'aws:kms' | CustomerKey | null;
  /** Keys that stand in the file; null: environment, then the default chain. */
  readonly credentials: S3Credentials | null;
  /** Whether what is put carries its MD5, as buckets with object lock ask for. @default false */
  readonly contentMd5?: true;
}

/** A folder of the same layout as the bucket. */
export interface FolderStoreConfig {
  readonly kind: 'folder';
  /** Absolute path. */
  readonly path: string;
  /** What every key begins with, without trailing slash; may be empty. */
  readonly prefix: string;
}

export type StoreConfig = S3StoreConfig | FolderStoreConfig;

/** Where a record is kept: beside the archives, in the target database, or both. */
export type StorageType = 's3' | 'database' | 'both';

/** The compatible record of progress. */
export interface WatermarkConfig {
  /** @default true */
  readonly enabled: boolean;
  /** @default 's3' */
  readonly storageType: StorageType;
  /** @default true */
  readonly updateAfterEachArchive: boolean;
}

/** What a configuration file says, with every default filled in. */
export interface ThawConfig {
  /** The file that it was read from, absolute; `the environment` where there is none. */
  readonly path: string;
  readonly store: StoreConfig;
  readonly databases: readonly DatabaseConfig[];
  /** Databases with their dumps, of the file and of the environment; every database is one, too. */
  readonly services: readonly ServiceConfig[];
  readonly restoreWatermark: WatermarkConfig;
  /** Where audit events go. @default 's3' */
  readonly auditTrail: StorageType;
  /** `system.yaml`, where `--system` names it. */
  readonly systemFile?: string;
}

/** A database with its dumps. */
export interface ServiceConfig {
  /** What dumps are named after and what users name: `argus`. */
  readonly name: string;
  /** `name` is that of the PostgreSQL database. */
  readonly connection: DatabaseConfig;
  /** Where databases are made and dropped from. @default 'postgres' */
  readonly maintenance: string;
  /** Where its dumps lie; null: a dump has to be named by its path. */
  readonly dumps: StoreConfig | null;
  /** What names of its dumps begin with, before the `-` or `_` and the time; null: its own name, or that of its database. */
  readonly filePrefix: string | null;
  /** The one that `default`, and no name at all, mean: that of `RESTORE_DATABASE_URL`. */
  readonly isDefault?: boolean;
  /** Tenants of the HTTP API that it is for. @default none: root alone */
  readonly tenants?: readonly string[];
}
