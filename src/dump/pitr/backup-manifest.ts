import { ThawError } from '../../contract/thaw-error.ts';
import { later, parseLsn } from './wal-name.ts';

/** What `backup_manifest` (PostgreSQL 13 and newer) says of a base backup as a whole. */
export interface BackupManifest {
  /** Of all its files. */
  readonly bytes: number;
  readonly files: number;
  /** Where it is consistent: WAL has to be there up to this. */
  readonly end: bigint | null;
}

interface ManifestJson {
  readonly 'PostgreSQL-Backup-Manifest-Version'?: number;
  readonly Files?: readonly { readonly Size?: number }[];
  readonly 'WAL-Ranges'?: readonly { readonly 'End-LSN'?: string }[];
}

/**
 * Reads `backup_manifest`.
 *
 * @throws ThawError `ArchiveCorrupt` for what is none
 */
export function parseManifest(text: string, object: string): BackupManifest {
  const json = parseJson(text);
  if (json?.['PostgreSQL-Backup-Manifest-Version'] === undefined || json.Files === undefined) {
    throw new ThawError('ArchiveCorrupt', `${object} is no manifest of a base backup.`, {
      object,
      hint: 'Take another base backup.',
    });
  }
  const ends = (json['WAL-Ranges'] ?? []).flatMap((range) => parseLsn(range['End-LSN'] ?? '') ?? []);
  return {
    bytes: json.Files.reduce((sum, { Size = 0 }) => sum + Size, 0),
    files: json.Files.length,
    end: ends.reduce<bigint | null>((last, lsn) => (last === null ? lsn : later(last, lsn)), null),
  };
}

function parseJson(text: string): ManifestJson | null {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null ? json : null;
  } catch {
    return null;
  }
}
