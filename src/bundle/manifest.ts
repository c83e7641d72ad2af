import { z } from 'zod';
import { badBundle } from './bundle-error.ts';

/** What a manifest says of one file of the bundle. */
export interface ManifestFile {
  /** `describe.yaml` or `{model}.jsonl`. */
  readonly name: string;
  /** Lower-case hex; null where it says none. */
  readonly sha256: string | null;
  readonly bytes: number | null;
  readonly records: number | null;
}

/** A bundle that has to be installed before. */
export interface Requirement {
  readonly name: string;
  /** A range such as `^1.2.0` or `>=1.0 <3`. */
  readonly version: string;
}

/** `manifest.json` of a bundle. */
export interface BundleManifest {
  /** By name. */
  readonly files: ReadonlyMap<string, ManifestFile>;
  /** Name and version under which it is installed; null for a plain extract. */
  readonly package: { readonly name: string; readonly version: string } | null;
  readonly requires: readonly Requirement[];
}

const artifact = z.looseObject({
  type: z.string().optional(),
  name: z.string(),
  size: z.int().nonnegative().nullish(),
  checksum: z
    .string()
    .regex(/^(sha256:)?[0-9a-f]{64}$/i)
    .nullish(),
  records: z.int().nonnegative().nullish(),
});

const requirement = z.union([
  z.string().min(1),
  z.looseObject({ name: z.string().min(1), version: z.string().min(1).optional() }),
]);

const manifest = z.looseObject({
  version: z.string().optional(),
  name: z.string().min(1).optional(),
  package_version: z.string().min(1).optional(),
  artifacts: z.array(artifact).default([]),
  requires: z
    .union([z.array(requirement), z.record(z.string(), z.string())])
    .nullish()
    .transform((value) => value ?? []),
});

/**
 * Reads `manifest.json`. Checksums may have the prefix `sha256:`; `requires` is a list of names, of
 * `{name, version}`, or an object of names to version ranges.
 *
 * @throws ThawError `InputInvalid` when it is not JSON, or not of that form
 */
export function parseManifest(text: string): BundleManifest {
  const result = manifest.safeParse(json(text));
  if (!result.success) {
    const [issue] = result.error.issues;
    throw badBundle(`manifest.json: ${issue?.path.join('.') || 'the file'}: ${issue?.message}`);
  }
  const { artifacts, requires, name, package_version: version } = result.data;
  return {
    files: new Map(artifacts.map((file) => [file.name, manifestFile(file)])),
    package: name === undefined || version === undefined ? null : { name, version },
    requires: requirements(requires),
  };
}

function manifestFile({ name, checksum, size, records }: z.output<typeof artifact>): ManifestFile {
  return {
    name,
    sha256: checksum?.toLowerCase().replace('sha256:', '') ?? null,
    bytes: size ?? null,
    records: records ?? null,
  };
}

function requirements(value: z.output<typeof manifest>['requires']): Requirement[] {
  if (!Array.isArray(value)) return Object.entries(value).map(([name, version]) => ({ name, version }));
  return value.map((each) =>
    typeof each === 'string'
      ? { name: each, version: '*' }
      : { name: each.name, version: each.version ?? '*' },
  );
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badBundle('manifest.json is not valid JSON');
  }
}
