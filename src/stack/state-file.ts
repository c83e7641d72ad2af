import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Reads a JSON file of the state folder; null when it is not there. */
export function readJson<T>(file: string): T | null {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : null;
}

/** Writes a JSON file so that a reader sees the old or the new one, never a part. */
export function writeJson(file: string, value: unknown, mode: number): void {
  writeWhole(file, `${JSON.stringify(value, null, 2)}\n`, mode);
}

/** Writes a text file so that a reader sees the old or the new one, never a part. */
export function writeWhole(file: string, text: string, mode: number): void {
  const fresh = `${file}.${process.pid}.new`;
  writeFileSync(fresh, text, { mode });
  renameSync(fresh, file);
}

/** What a state folder keeps to itself; made once, mode 0600. */
export interface Secrets {
  /** Names the folder's data where it must lie outside of it. */
  readonly id: string;
  readonly postgresPassword: string;
  readonly s3AccessKeyId: string;
  readonly s3SecretAccessKey: string;
  /** Secret of the API's tokens. */
  readonly jwtSecret: string;
}

/**
 * Makes the state folder when it is not there and gives its secrets.
 *
 * Root's folder can be passed through (0711), because PostgreSQL refuses to run as root and its user must
 * get at its data; every file and folder inside has its own, tighter mode.
 */
export function openStateFolder(folder: string): Secrets {
  mkdirSync(folder, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
  const file = path.join(folder, 'secrets.json');
  const known = readJson<Partial<Secrets>>(file);
  const secrets: Secrets = {
    id: randomBytes(8).toString('hex'),
    postgresPassword: randomBytes(18).toString('base64url'),
    s3AccessKeyId: `thaw${randomBytes(8).toString('hex')}`,
    s3SecretAccessKey: randomBytes(24).toString('base64url'),
    jwtSecret: randomBytes(32).toString('base64url'),
    ...known,
  };
  if (known?.jwtSecret === undefined) writeJson(file, secrets, 0o600);
  return secrets;
}
