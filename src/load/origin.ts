import type { ArchiveMetadata } from '../archive/metadata.ts';
import { isOutside } from '../contract/names.ts';
import { ThawError } from '../contract/thaw-error.ts';
import { foreignHint } from '../restore/foreign.ts';

/** What tells archives of a table from those of its namesakes in other schemas, which share a folder. */
export interface OriginRule {
  /** That the table was archived from. */
  readonly schema: string;
  /** Archives were asked for by their keys. */
  readonly named: boolean;
  /** Tables of several schemas are configured for the folder. */
  readonly sharedFolder: boolean;
}

/** Where an archive is from, as far as it tells. */
export interface Origin {
  /** The schema that it is from, where that is another one: it is to be left out. */
  readonly foreignSchema: string | null;
  /** Nothing tells. It is taken for one of the table, unless the folder turns out to be shared. */
  readonly isUntold: boolean;
}

/**
 * Tells where an archive is from. The archiver leaves the schema out of its keys, so only the metadata says.
 *
 * @param name as the workflows carry it
 * @throws ThawError `SchemaIncompatible` for one of another schema that was asked for by its key;
 * `MetadataInvalid` for one without metadata in a folder that is known to be shared
 */
export function originOf(
  archive: { readonly key: string; readonly name: string; readonly metadata: ArchiveMetadata | null },
  rule: OriginRule,
): Origin {
  const { key, name, metadata } = archive;
  if (metadata === null) {
    const isUntold = !rule.named && !isOutside(name);
    if (isUntold && rule.sharedFolder) throw ambiguousOrigin(key, rule.schema);
    return { foreignSchema: null, isUntold };
  }
  if (metadata.schema === rule.schema) return { foreignSchema: null, isUntold: false };
  if (!rule.named) return { foreignSchema: metadata.schema, isUntold: false };
  throw new ThawError(
    'SchemaIncompatible',
    `${key}: it was archived from schema ${metadata.schema}, not ${rule.schema}.`,
    { object: key, stage: 'metadata', hint: foreignHint(metadata.schema) },
  );
}

/** The error of an archive that tells nothing in a folder that is shared. */
export function ambiguousOrigin(key: string, schema: string): ThawError {
  return new ThawError(
    'MetadataInvalid',
    `${key}: it has no metadata, and archives of several schemas lie in its folder, so nothing tells whose it is.`,
    {
      object: key,
      stage: 'metadata',
      hint: `Bring its .metadata.json back, or name it by --s3-key: then it is taken for one of schema ${schema}.`,
    },
  );
}
